import { z } from 'zod';
import { approvalStatuses } from '../../domain/approval/approval.ts';
import { approvalEvents } from '../../entities/approval/approval.entity.ts';
import { notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { delegateProof } from '../../platform/security/mfa-token.ts';
import {
  approveUpdate,
  breakGlassUpdate,
  cancelUpdate,
  rejectUpdate,
  withdrawUpdate,
} from '../../workflows/approval/approval.contract.ts';
import { listApprovals } from '../../services/approval/approval-decidability.service.ts';
import { decideApproval, editApproval, precheckEdit, rehearseDecision, rehearseEdit } from '../../services/approval/approval-decision.service.ts';
import { approvalViewOf, changeFor, requestApproval } from '../../services/approval/approval-request.service.ts';
import {
  approvalHistoryQuery,
  approvalListQuery,
  decisionsQuery,
  describeChange,
  listedApprovalsQuery,
  payloadQuery,
} from '../../services/approval/approval.queries.ts';
import {
  ApprovalBody,
  ListedApprovalBody,
  ApprovalDetailBody,
  ApprovalHistoryBody,
  decisionReason,
  digest,
  environmentName,
} from './approval.schemas.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { idParams, uuid } from '../../platform/value-schemas.ts';

const tag = 'approval';

const getApprovalRequests = route({
  operationId: 'getApprovalRequests',
  method: 'get',
  path: '/admin/approvals',
  tag,
  summary: 'Approval requests, newest first',
  permission: 'approval:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    status: z.enum(approvalStatuses).optional(),
    action: z.string().max(100).optional(),
    environment: environmentName.optional(),
    requested_by: uuid.optional(),
  }),
  responses: { 200: pageOf(ListedApprovalBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, ...filter }, actor, deps, read }) => {
    const page = newestPage(await read(approvalListQuery(filter, { limit, cursor })), limit);
    return { ...page, items: await listApprovals(deps, actor, page.items) };
  },
});

const getApprovalHistory = route({
  operationId: 'getApprovalHistory',
  method: 'get',
  path: '/admin/approvals/history',
  tag,
  summary: 'History of all approval requests, newest first',
  description: 'Retained permanently, also for requests that expired or were rejected.',
  permission: 'approval:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    approval_id: uuid.optional(),
    actor_id: uuid.optional(),
    event: z.enum(approvalEvents).optional(),
  }),
  responses: { 200: pageOf(ApprovalHistoryBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, ...filter }, read }) => {
    const rows = await read(approvalHistoryQuery(filter, { limit, cursor }));
    return newestPage(rows, limit);
  },
});

const getApprovalRequest = route({
  operationId: 'getApprovalRequest',
  method: 'get',
  path: '/admin/approvals/:id',
  tag,
  summary: 'One request with its change, its decisions and how to undo it',
  permission: 'approval:read',
  gate: 'none',
  params: idParams,
  responses: { 200: ApprovalDetailBody },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, scope, params: { id } }) => {
    const queries = [listedApprovalsQuery().where('a.id', '=', id), payloadQuery(id), decisionsQuery(id)] as const;
    const [[row], [change], decisions] = await readAll(deps.db, scope, queries);
    if (row === undefined || change === undefined) throw notFound('approval request');
    const [listed] = await listApprovals(deps, actor, [row]);
    return { ...describeChange(change), ...listed, decisions };
  },
});

const createApprovalRequest = route({
  operationId: 'createApprovalRequest',
  method: 'post',
  path: '/admin/approvals',
  tag,
  summary: 'Open an approval request for a change',
  description:
    'The current gate policy is stored with the request. The change is executed automatically when the policy is met.',
  permission: 'approval:request',
  gate: 'mfa',
  body: z.strictObject({
    action: z.string().min(1).max(100).describe('An action listed by GET /admin/approvals/gates'),
    payload: z.json(),
    reason: decisionReason.nullable().default(null),
  }),
  responses: { 201: ApprovalBody },
  problems: [
    'mfa.required',
    'approval.policy-unsatisfiable',
    'approval.no-second-person',
    'approval.identical-open',
    'approval.too-many-open',
    'resource.not-found',
    'resource.conflict',
    'flag.version-conflict',
  ],
  handler: async ({ actor, body, deps, mfa, isRehearsal, rehearse, throughWorkflow }) => {
    if (isRehearsal) await changeFor(actor, body.action, body.payload).precheck(deps);
    await rehearse((tx) => deps.approvals.assertOpenable(tx, changeFor(actor, body.action, body.payload)));
    return throughWorkflow((command) => {
      const prepared = changeFor(actor, body.action, body.payload);
      const request = { prepared, reason: body.reason ?? prepared.reason, proof: delegateProof(mfa) };
      return requestApproval(deps, actor, request, command);
    }, approvalViewOf);
  },
});

/** What all messages to a request have in common: its workflow judges them and answers with the committed row. */
const message = {
  method: 'post',
  tag,
  gate: 'mfa',
  params: idParams,
  responses: { 200: ApprovalBody },
} as const;

const updates = {
  approve: approveUpdate,
  reject: rejectUpdate,
  'break-glass': breakGlassUpdate,
  cancel: cancelUpdate,
  withdraw: withdrawUpdate,
} as const;

async function decide(
  { deps, actor, mfa, params, rehearse, throughWorkflow }: HandlerContext<{ id: string }, unknown, unknown>,
  kind: keyof typeof updates,
  said: Parameters<typeof decideApproval>[4],
) {
  await rehearse((tx) => rehearseDecision(tx, deps.keyring, params.id, { kind, digest: said.digest }));
  const update = updates[kind];
  return throughWorkflow(
    (command) => decideApproval(deps, { actor, mfa, command }, params.id, update, said),
    approvalViewOf,
  );
}

/** Refusals by the state of the request, which approving, rejecting and bypassing share. */
const stateProblems = [
  'mfa.required',
  'resource.not-found',
  'approval.closed',
  'approval.not-pending',
  'approval.digest-mismatch',
] as const;

/** Refusals of the person, which approving and rejecting share. */
const personProblems = [
  'approval.own-request',
  'approval.already-decided',
  'approval.not-eligible',
] as const;

const approveRequest = route({
  ...message,
  operationId: 'approveRequest',
  path: '/admin/approvals/:id/approve',
  summary: 'Approve a request in the version that was shown',
  description: 'Send the digest that was shown; it is refused if the request has been edited since.',
  permission: 'approval:decide',
  body: z.strictObject({ digest, reason: decisionReason.nullable().default(null) }),
  problems: [
    ...stateProblems,
    ...personProblems,
    'approval.step-not-open',
    'approval.not-independent',
    'approval.needed-later',
    'approval.stale',
    'approval.requester-left',
    'tenant.naming-waits',
  ],
  handler: (context) => decide(context, 'approve', context.body),
});

const rejectRequest = route({
  ...message,
  operationId: 'rejectRequest',
  path: '/admin/approvals/:id/reject',
  summary: 'Reject a request, with the reason',
  permission: 'approval:decide',
  body: z.strictObject({ digest, reason: decisionReason }),
  problems: [...stateProblems, ...personProblems, 'approval.rejected-before', 'tenant.naming-waits'],
  handler: (context) => decide(context, 'reject', context.body),
});

const breakGlass = route({
  ...message,
  operationId: 'breakGlass',
  path: '/admin/approvals/:id/break-glass',
  summary: 'Execute a change in an emergency without the missing approvals (break-glass)',
  description:
    'For users whom the gate policy of the request names. Opens a review by another user; while a review of one of ' +
    'your emergency changes is overdue, you cannot make another.',
  permission: 'approval:break-glass',
  body: z.strictObject({ digest, reason: decisionReason }),
  problems: [
    ...stateProblems,
    'approval.bypass-refused',
    'approval.bypass-barred',
    'approval.bypass-own-request',
    'approval.requester-left',
    'tenant.naming-waits',
  ],
  handler: (context) => decide(context, 'break-glass', context.body),
});

const cancelRequest = route({
  ...message,
  operationId: 'cancelRequest',
  path: '/admin/approvals/:id/cancel',
  summary: 'Cancel a request that you made or edited',
  permission: 'authenticated',
  body: z.strictObject({ reason: decisionReason.nullable().default(null) }),
  problems: ['mfa.required', 'resource.not-found', 'approval.closed', 'approval.not-author'],
  handler: (context) => decide(context, 'cancel', { digest: '', reason: context.body.reason }),
});

const withdrawVote = route({
  ...message,
  operationId: 'withdrawApproval',
  path: '/admin/approvals/:id/withdraw',
  summary: 'Withdraw the own approval, until the last quorum is met',
  description: 'Approvals of later steps fall with it, because their step opens only when the earlier ones are met.',
  permission: 'approval:decide',
  body: z.strictObject({ reason: decisionReason.nullable().default(null) }),
  problems: ['mfa.required', 'resource.not-found', 'approval.closed', 'approval.no-vote'],
  handler: (context) => decide(context, 'withdraw', { digest: '', reason: context.body.reason }),
});

const editRequest = route({
  ...message,
  operationId: 'editRequest',
  path: '/admin/approvals/:id/edit',
  summary: 'Edit the change of a request; its approvals start again',
  permission: 'approval:request',
  body: z.strictObject({
    digest: digest.describe('Digest of the payload that the edit is based on'),
    payload: z.json(),
    reason: decisionReason.nullable().default(null),
  }),
  problems: [
    'mfa.required',
    'resource.not-found',
    'resource.conflict',
    'approval.closed',
    'approval.digest-mismatch',
    'approval.unchanged',
    'approval.too-many-edits',
    'approval.not-author',
    'approval.identical-open',
    'approval.no-second-person',
    'approval.policy-unsatisfiable',
  ],
  handler: async ({ deps, actor, mfa, params, body, isRehearsal, rehearse, throughWorkflow }) => {
    if (isRehearsal) await precheckEdit(deps, actor, params.id, body.payload);
    await rehearse((tx) => rehearseEdit(tx, deps.keyring, params.id, body));
    return throughWorkflow((command) => editApproval(deps, { actor, mfa, command }, params.id, body), approvalViewOf);
  },
});

/**
 * Approval requests: S2-39..43. The router takes the last of several matching paths, so literal paths follow patterns.
 */
export const approvalRoutes = [
  getApprovalRequests,
  getApprovalRequest,
  getApprovalHistory,
  createApprovalRequest,
  approveRequest,
  rejectRequest,
  breakGlass,
  cancelRequest,
  withdrawVote,
  editRequest,
];
