import { isEligible } from './approval-policy.ts';
import type { ApprovalPolicy, EligiblePerson } from './approval-policy.ts';
import type { ProblemCode } from '../shared/problem-codes.ts';

/**
 * The states of a request (S2-70). `pending → approved → executed | failed`; `pending` also ends as `rejected`,
 * `cancelled` or `expired`; `approved` also ends as `cancelled` or `expired`, and goes back to `pending` when it is
 * edited or an approver has lost the right.
 */
export const approvalStatuses = [
  'pending',
  'approved',
  'rejected',
  'expired',
  'cancelled',
  'executed',
  'failed',
] as const;

/** One of {@link approvalStatuses}. */
export type ApprovalStatus = (typeof approvalStatuses)[number];

/** An approval that counts: given for the present revision, by somebody who has not lost the right since. */
export interface CountedApproval {
  approver_id: string;
  /** Index of the policy step it was given for. */
  step: number;
}

/** Bounds the edits of one request, so that its workflow stays far from Temporal's limits of a single run. */
const maximumRevisions = 100;

/** The state of a request: everything that a command is judged by. Times are milliseconds since the epoch. */
export interface Approval {
  status: ApprovalStatus;
  /** Grows with every edit; approvals belong to one revision. */
  revision: number;
  /** SHA-256 of the canonical change that approvers see. */
  digest: string;
  requested_by: string;
  /** Who else wrote what it carries; like the requester they cannot approve it. */
  editors: string[];
  policy: ApprovalPolicy;
  approvals: CountedApproval[];
  /** The person who broke the glass for this revision, or null. */
  bypassed_by: string | null;
  review_due_at: number;
  execution_due_at: number | null;
}

/** What a person, a timer, the execution or an operator of the workflow (`abort`) does to a request. */
export type ApprovalCommand =
  | { kind: 'approve'; by: EligiblePerson; digest: string }
  | { kind: 'reject'; by: EligiblePerson; digest: string }
  | { kind: 'break-glass'; by: EligiblePerson; digest: string }
  | { kind: 'edit'; by: EligiblePerson; digest: string; new_digest: string }
  | { kind: 'cancel'; by: EligiblePerson }
  | { kind: 'withdraw'; by: EligiblePerson }
  | { kind: 'expire' }
  | { kind: 'abort' }
  | { kind: 'return-to-review'; lost: string[] }
  | { kind: 'execute' }
  | { kind: 'fail' };

/** A decision of a person on the present digest. */
type Decision = Extract<ApprovalCommand, { kind: 'approve' | 'reject' | 'break-glass' }>;

/** Why a command is refused. */
export interface Refusal {
  code: ProblemCode;
  detail: string;
}

/**
 * The state of a new request. It keeps the policy given here, whatever happens to the gate policies later.
 *
 * @param now milliseconds since the epoch; the review window begins here.
 */
export function openApproval(
  request: { digest: string; requested_by: string; policy: ApprovalPolicy },
  now: number,
): Approval {
  return {
    status: 'pending',
    revision: 1,
    digest: request.digest,
    requested_by: request.requested_by,
    editors: [],
    policy: request.policy,
    approvals: [],
    bypassed_by: null,
    review_due_at: now + request.policy.review_window_seconds * 1000,
    execution_due_at: null,
  };
}

/** True for a final status. */
export function isClosed(status: ApprovalStatus): boolean {
  return status !== 'pending' && status !== 'approved';
}

/** Index of the step that waits for approvals, or null when every quorum is met. Steps are met in order. */
export function openStep(approval: Pick<Approval, 'policy' | 'approvals'>): number | null {
  const index = approval.policy.steps.findIndex((step, at) => approvalsOf(approval, at) < step.quorum);
  return index === -1 ? null : index;
}

/** How many approvals of a step count. */
export function approvalsOf(approval: Pick<Approval, 'approvals'>, step: number): number {
  return approval.approvals.filter((counted) => counted.step === step).length;
}

/**
 * Why a command is refused, or null when it may be applied. Synchronous and without I/O, so that the validators of the
 * workflow's updates can use it. What only the database knows (whether the approver is active, whether the proof of the
 * second factor is fresh) the transaction checks that records the command.
 *
 * @param now milliseconds since the epoch.
 */
export function refusal(approval: Approval, command: ApprovalCommand, now: number): Refusal | null {
  if (isClosed(approval.status)) {
    return { code: 'approval.closed', detail: `The request is ${approval.status} and cannot be changed.` };
  }
  switch (command.kind) {
    case 'approve':
    case 'reject':
    case 'break-glass':
      return wrongState(approval, command.digest, now) ?? wrongPerson(approval, command);
    case 'edit':
      return wrongDigest(approval, command.digest) ?? mayNotEdit(approval, command, now);
    case 'cancel':
      return isAuthor(approval, command.by.user_id)
        ? null
        : { code: 'approval.not-author', detail: 'Only the requester and the editors can cancel a request.' };
    case 'withdraw':
      return hasVote(approval, command.by.user_id)
        ? null
        : { code: 'approval.no-vote', detail: 'You have no vote here that could be withdrawn.' };
    case 'expire':
    case 'abort':
      return null;
    case 'return-to-review':
    case 'execute':
    case 'fail':
      return approval.status === 'approved'
        ? null
        : { code: 'approval.not-approved', detail: 'The request is not approved.' };
  }
}

/**
 * The request after a command; the given one is not changed.
 *
 * @throws RangeError when the command is refused: callers check {@link refusal} first.
 */
export function applyCommand(approval: Approval, command: ApprovalCommand, now: number): Approval {
  const refused = refusal(approval, command, now);
  if (refused !== null) throw new RangeError(refused.detail);
  switch (command.kind) {
    case 'approve': {
      const step = openStep(approval) ?? 0;
      const approvals = [...approval.approvals, { approver_id: command.by.user_id, step }];
      const decided = { ...approval, approvals };
      return openStep(decided) === null ? approved(decided, now) : decided;
    }
    case 'break-glass':
      return approved({ ...approval, bypassed_by: command.by.user_id }, now);
    case 'reject':
      return { ...approval, status: 'rejected' };
    case 'cancel':
    case 'abort':
      return { ...approval, status: 'cancelled' };
    case 'withdraw':
      return { ...approval, approvals: withoutLost(approval.approvals, [command.by.user_id]) };
    case 'expire':
      return { ...approval, status: 'expired' };
    case 'edit':
      return {
        ...pendingAgain(approval),
        revision: approval.revision + 1,
        digest: command.new_digest,
        editors: [...new Set([...approval.editors, command.by.user_id])],
        approvals: [],
      };
    case 'return-to-review':
      return withoutRights(approval, command.lost);
    case 'execute':
      return { ...approval, status: 'executed' };
    case 'fail':
      return { ...approval, status: 'failed' };
  }
}

/**
 * The approvals that still count when some approvers have lost the right. Approvals of later steps fall with them,
 * because a later step opens only when the earlier ones are met.
 */
function withoutLost(approvals: readonly CountedApproval[], lost: readonly string[]): CountedApproval[] {
  const steps = approvals.filter((counted) => lost.includes(counted.approver_id)).map((counted) => counted.step);
  const firstLost = Math.min(...steps, Number.POSITIVE_INFINITY);
  return approvals.filter((counted) => counted.step <= firstLost && !lost.includes(counted.approver_id));
}

/** Back to review, unless a bypass or the remaining approvals still meet the policy. */
function withoutRights(approval: Approval, lost: readonly string[]): Approval {
  const approvals = withoutLost(approval.approvals, lost);
  const bypassStands = approval.bypassed_by !== null && !lost.includes(approval.bypassed_by);
  if (bypassStands || openStep({ policy: approval.policy, approvals }) === null) return { ...approval, approvals };
  return { ...pendingAgain(approval), approvals };
}

function approved(approval: Approval, now: number): Approval {
  const windowMs = approval.policy.execution_window_seconds * 1000;
  return { ...approval, status: 'approved', execution_due_at: now + windowMs };
}

function pendingAgain(approval: Approval): Approval {
  return { ...approval, status: 'pending', bypassed_by: null, execution_due_at: null };
}

function wrongDigest(approval: Approval, digest: string): Refusal | null {
  if (digest === approval.digest) return null;
  return {
    code: 'approval.digest-mismatch',
    detail: 'The request has been edited: read it again and decide on the new version.',
  };
}

function wrongState(approval: Approval, digest: string, now: number): Refusal | null {
  if (approval.status !== 'pending')
    return { code: 'approval.not-pending', detail: 'The request is approved already.' };
  return overdue(approval, now) ?? wrongDigest(approval, digest);
}

function overdue(approval: Approval, now: number): Refusal | null {
  if (now < approval.review_due_at) return null;
  return { code: 'approval.closed', detail: 'The time to review the request is over.' };
}

function isAuthor(approval: Approval, userId: string): boolean {
  return approval.requested_by === userId || approval.editors.includes(userId);
}

/** True while somebody's vote counts and the quorum is not met, so that it can still be withdrawn (T-12). */
function hasVote(approval: Approval, userId: string): boolean {
  return approval.status === 'pending' && approval.approvals.some(({ approver_id }) => approver_id === userId);
}

/** Everybody whom a step names may reject; only those whom the open step names may approve. */
function wrongPerson(approval: Approval, { kind, by }: Decision): Refusal | null {
  const { policy, approvals } = approval;
  if (kind === 'break-glass') return policy.bypassers.includes(by.user_id) ? null : notNamedForEmergencies;
  if (isAuthor(approval, by.user_id)) {
    return { code: 'approval.own-request', detail: 'You cannot decide on what you asked for or wrote.' };
  }
  if (approvals.some((counted) => counted.approver_id === by.user_id)) {
    return { code: 'approval.already-decided', detail: 'You have approved this request already.' };
  }
  const open = openStep(approval) ?? 0;
  const naming = policy.steps.flatMap((step, index) => (isEligible(step, by) ? [index] : []));
  if (kind === 'reject' ? naming.length > 0 : naming.includes(open)) return null;
  if (!naming.some((index) => index > open)) return notNamed;
  const first = policy.steps[open]?.name ?? '';
  return { code: 'approval.step-not-open', detail: `Step '${first}' comes first and is not met yet.` };
}

const notNamed = {
  code: 'approval.not-eligible',
  detail: 'The gate policy of this request does not name you as an approver.',
} as const satisfies Refusal;

const notNamedForEmergencies = {
  code: 'approval.bypass-refused',
  detail: 'The gate policy of this request does not name you for emergencies.',
} as const satisfies Refusal;

function mayNotEdit(approval: Approval, command: { new_digest: string }, now: number): Refusal | null {
  if (approval.revision >= maximumRevisions) {
    return { code: 'approval.too-many-edits', detail: 'The request has been edited too often: open a new one.' };
  }
  if (command.new_digest === approval.digest) {
    return { code: 'approval.unchanged', detail: 'The edit changes nothing.' };
  }
  return overdue(approval, now);
}
