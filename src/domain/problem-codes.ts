interface ProblemKind {
  readonly status: number;
  readonly title: string;
}

/**
 * The one error table: code → HTTP status and title (RFC 9457). A code is part of the interface: it is never renamed.
 * Codes are grouped by the resource they speak of.
 */
export const problemCodes = {
  'request.malformed': { status: 400, title: 'The request is not well-formed' },
  'request.invalid': { status: 422, title: 'The request breaks its schema' },
  'request.not-found': { status: 404, title: 'There is no such resource' },
  'request.method-not-allowed': { status: 405, title: 'This method is not offered here' },
  'request.too-large': { status: 413, title: 'The request body is too large' },
  'request.unsupported-media-type': { status: 415, title: 'The request body must be application/json' },
  'request.rate-limited': { status: 429, title: 'Too many requests' },
  'request.cursor-invalid': { status: 400, title: 'The cursor is not one of this list' },
  'auth.required': { status: 401, title: 'Authentication is required' },
  'auth.invalid-credentials': { status: 401, title: 'The sign-in was refused' },
  'auth.refresh-refused': { status: 401, title: 'The refresh token is not valid' },
  'auth.oidc-refused': { status: 401, title: 'The external sign-in was refused' },
  'auth.password-refused': { status: 403, title: 'The password was refused' },
  'auth.forbidden': { status: 403, title: 'The permission for this action is missing' },
  'mfa.required': { status: 403, title: 'A second factor is required for this action' },
  'mfa.not-enrolled': { status: 409, title: 'No second factor is set up' },
  'mfa.already-enrolled': { status: 409, title: 'A second factor is set up already' },
  'mfa.code-refused': { status: 403, title: 'The code was refused' },
  'mfa.challenge-closed': { status: 409, title: 'The challenge is over' },
  'mfa.locked': { status: 429, title: 'Too many wrong codes' },
  'resource.not-found': { status: 404, title: 'There is no such resource' },
  'resource.conflict': { status: 409, title: 'The resource is in conflict with the request' },
  'resource.version-mismatch': { status: 412, title: 'The resource has changed since it was read' },
  'resource.version-required': { status: 428, title: 'An If-Match header is required' },
  'idempotency.key-invalid': { status: 400, title: 'The Idempotency-Key is not usable' },
  'idempotency.key-reused': { status: 422, title: 'The Idempotency-Key belongs to another request' },
  'idempotency.in-progress': { status: 409, title: 'The first request with this Idempotency-Key is still running' },
  'approval.closed': { status: 409, title: 'The approval request is closed' },
  'approval.not-pending': { status: 409, title: 'The approval request does not wait for a decision' },
  'approval.not-approved': { status: 409, title: 'The approval request is not approved' },
  'approval.digest-mismatch': { status: 409, title: 'The approval request has been edited' },
  'approval.already-decided': { status: 409, title: 'You have decided on this approval request' },
  'approval.own-request': { status: 403, title: 'Nobody decides on a change of their own' },
  'approval.not-eligible': { status: 403, title: 'The policy does not name you as an approver' },
  'approval.step-not-open': { status: 409, title: 'An earlier step is not met yet' },
  'approval.not-author': { status: 403, title: 'Only its authors can do this to an approval request' },
  'approval.too-many-edits': { status: 409, title: 'The approval request has been edited too often' },
  'approval.unchanged': { status: 409, title: 'The edit changes nothing' },
  'approval.bypass-refused': { status: 403, title: 'The policy does not name you for emergencies' },
  'approval.bypass-barred': { status: 403, title: 'A review of an earlier emergency change is overdue' },
  'approval.review-closed': { status: 409, title: 'The review is done' },
  'approval.policy-unsatisfiable': { status: 409, title: 'The policy could never be met' },
  'approval.required': { status: 403, title: 'This change needs an approved request' },
  'approval.requester-left': { status: 409, title: 'The requester may not ask for this any more' },
  'approval.payload-changed': { status: 409, title: 'The payload is not the one that was approved' },
  'config.version-conflict': { status: 409, title: 'The configuration has changed since the change was made' },
  'config.none': { status: 404, title: 'The environment has no configuration yet' },
  'rollout.active': { status: 409, title: 'Another rollout is under way in this environment' },
  'rollout.closed': { status: 409, title: 'The rollout is over' },
  'rollout.not-possible': { status: 409, title: 'The rollout is in another state' },
  'rollout.fenced': { status: 409, title: 'Another run of this rollout has taken over' },
  'flag.version-conflict': { status: 409, title: 'The flag has changed since the change was made' },
  'user.last-super-admin': { status: 409, title: 'The last super admin stays' },
  'user.exceeds-own': { status: 403, title: 'This person holds rights that you do not hold' },
  'user.owns-things': { status: 409, title: 'This person owns things' },
  'role.own-rights': { status: 403, title: 'Nobody changes their own rights' },
  'role.in-use': { status: 409, title: 'The role is in use' },
  'role.cycle': { status: 409, title: 'A role cannot be its own ancestor' },
  'role.grant-exceeds-own': { status: 403, title: 'Nobody can give a permission they do not hold' },
  'role.immutable': { status: 409, title: 'This role cannot be changed' },
  'assignment.user-inactive': { status: 409, title: 'The person is not active' },
  'assignment.contact-owned': { status: 409, title: 'Somebody else looks after a contact' },
  'assignment.batch-finished': { status: 409, title: 'The batch is finished' },
  'audit.chain-damaged': { status: 409, title: 'The audit chain does not verify' },
  'focus.already-active': { status: 409, title: 'Another focus session is active' },
  'focus.ended': { status: 409, title: 'The focus session has ended' },
  'onboarding.link-dead': { status: 410, title: 'The onboarding link leads nowhere any more' },
  'onboarding.progress-stale': { status: 409, title: 'The progress was saved elsewhere in between' },
  'onboarding.not-allowed': { status: 403, title: 'The onboarding link does not allow this' },
  'onboarding.closed': { status: 409, title: 'The onboarding link is closed for good' },
  'onboarding.life-spent': { status: 409, title: 'The onboarding link has lived its longest' },
  'prospect.move-refused': { status: 409, title: 'The prospect cannot move there' },
  'prospect.import-refused': { status: 422, title: 'The file was not imported' },
  'service.unavailable': { status: 503, title: 'A part of the service is away' },
  'service.internal': { status: 500, title: 'Something went wrong on our side' },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof problemCodes;

/** True when the text is a code of the table; used where a code comes back from a workflow. */
export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(problemCodes, text);
}
