import { actorInWorkflow } from '../../domain/shared/actor.ts';
import type { Actor, ActorRef } from '../../domain/shared/actor.ts';
import { applyCommand, isClosed, openApproval, refusal } from '../../domain/approval/approval.ts';
import type { Approval, ApprovalCommand } from '../../domain/approval/approval.ts';
import type { EligiblePerson } from '../../domain/approval/approval-policy.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { openForcedReview, assertNotBarred } from '../../services/approval/break-glass-review.service.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { cancelRequestsOfLeavers } from '../../services/approval/deactivated-requester.service.ts';
import { rightsOfRows, rightsQuery } from '../../services/approval/eligible-people.queries.ts';
import type { PersonRights } from '../../services/approval/eligible-people.queries.ts';
import { approvalColumns } from '../../services/approval/approval-row.queries.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import type { Database } from '../../platform/database/database.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import { Problem } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { approvalWorkflowId } from '../../workflows/approval/approval.contract.ts';
import type {
  ApprovalActivities,
  ApprovalRecord,
  ExecuteApproval,
  OpenApproval,
  RecordCommand,
} from '../../workflows/approval/approval.contract.ts';
import { startApprovedRollouts } from '../../services/config/config-batch.client.ts';
import { startApprovedCleanings } from '../../services/queue/queue-clean.client.ts';
import { startApprovedRotations } from '../../services/integration/key-rotation.client.ts';
import { announceApproval } from './approval-notifications.ts';
import { executeApproval, failApproval } from '../../services/approval/approval-execution.service.ts';
import { appendHistory, findApproval, lockApproval, recordOf, saveTransition } from '../../services/approval/approval.repository.ts';
import type { StoredApproval } from '../../services/approval/approval.repository.ts';
import type { ActivityDeps } from '../deps.ts';
import { notifyOfApprovedOffboarding } from '../identity/offboarding-notifications.ts';
import { createNotify } from '../../services/notification/notify.client.ts';
import type { Notify } from '../../services/notification/notify.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'keyring' | 'temporal'>;

/** The activities of `approvalWorkflow`. Each is one short transaction that may be run twice. */
export function createApprovalActivities(deps: Deps): ApprovalActivities {
  const told = { db: deps.db, notify: createNotify(deps) };
  return {
    openApproval: (input) => asActivity(() => openRequest(deps, input)),
    recordApprovalCommand: (input) => asActivity(() => recordCommand(deps, input)),
    failApproval: (input) => asActivity(() => failApproval(deps, actingFor(input.actor, input.approval_id), input)),
    executeApproval: (input) =>
      asActivity(async () => {
        const record = await executeApproval(deps, actingFor(input.actor, input.approval_id), input);
        if (record.view.status === 'executed') await followChange(deps, told, input);
        return { ...record, is_told: await tellOfEnd(told, record, input) };
      }),
    announceApproval: (input) =>
      asActivity(() => announceApproval(told, actingFor(input.actor, input.approval_id), input)),
  };
}

/** Tells people at once; what cannot be sent on its way now is left to the workflow, which has more patience. */
async function tellOfEnd(
  told: { readonly db: Database; readonly notify: Notify },
  { view: { status } }: ApprovalRecord,
  { actor: requester, approval_id, occurrence }: ExecuteApproval,
): Promise<boolean> {
  if (occurrence === undefined || (status !== 'executed' && status !== 'failed')) return false;
  const actor = { ...requester, user_id: null, session_id: null };
  try {
    await announceApproval(told, actingFor(actor, approval_id), { actor, approval_id, news: status, occurrence });
    return true;
  } catch {
    return false;
  }
}

/** What comes of a change after its transaction. Each looks for itself whether there is something; all may be repeated. */
async function followChange(
  deps: Deps,
  told: { readonly db: Database; readonly notify: Notify },
  { actor, approval_id }: ExecuteApproval,
): Promise<void> {
  await cancelRequestsOfLeavers(deps, actor);
  await notifyOfApprovedOffboarding(told, actor, approval_id);
  await startApprovedRollouts(deps, actor, approval_id);
  await startApprovedCleanings(deps, actor, approval_id);
  await startApprovedRotations(deps, actor, approval_id);
}

/** The actor of an activity: whoever asked, through this request's workflow. */
function actingFor(ref: ActorRef, approvalId: string): Actor {
  return actorInWorkflow(ref, approvalWorkflowId(ref.tenant_id, approvalId));
}

/** Writes the request down; a repetition finds it there. */
async function openRequest({ db }: Deps, input: OpenApproval): Promise<ApprovalRecord> {
  const requester = await withRights(db, actingFor(input.requester, input.approval_id));
  return unitOfWork(db, requester, async (tx) => {
    const existing = await findApproval(tx, input.approval_id);
    if (existing !== undefined) return recordOf(existing);
    await consumeMfaProof(tx, input.mfa_proof_id, requester);
    const approval = {
      ...openApproval({ ...input, requested_by: input.requester.user_id }, 0),
      review_due_at: input.review_due_at,
    };
    const row = await tx.sql
      .insertInto('admin_approvals')
      .values({
        id: input.approval_id,
        tenant_id: requester.tenant_id,
        action: input.action,
        environment: input.environment,
        digest: approval.digest,
        requested_by: approval.requested_by,
        reason: input.reason,
        policy: jsonb(approval.policy),
        review_due_at: new Date(approval.review_due_at).toISOString(),
        workflow_id: requester.workflow_id ?? '',
      })
      .returning(approvalColumns)
      .executeTakeFirstOrThrow();
    await appendHistory(tx, row, null, { event: 'opened', reason: input.reason });
    tx.audit({
      event: 'approval.opened',
      action: 'create',
      resource_type: 'approval',
      resource_id: row.id,
      new_values: { action: row.action, environment: row.environment, digest: row.digest, reason: row.reason },
    });
    return recordOf({ row, approval });
  });
}

/**
 * Judges a command once more, on the locked row and by the rights that hold now, and writes what it does. A command
 * whose effect is there already is a repetition (a local activity may run twice) and answers with the row as it is.
 */
async function recordCommand({ db }: Deps, input: RecordCommand): Promise<ApprovalRecord> {
  const actor = await withRights(db, actingFor(input.actor, input.approval_id));
  return unitOfWork(db, actor, async (tx) => {
    const stored = await lockApproval(tx, input.approval_id);
    const command = withLiveRoles(input.command, actor);
    if (isDone(stored.approval, command, input.at)) return recordOf(stored);
    const refused = refusal(stored.approval, command, input.at) ?? withoutPermission(command, actor);
    if (refused !== null) throw new Problem(refused);
    if (input.mfa_proof_id !== null) await consumeMfaProof(tx, input.mfa_proof_id, actor);
    if (command.kind === 'break-glass') await assertNotBarred(tx, command.by.user_id, input.at);
    const next = applyCommand(stored.approval, command, input.at);
    await recordDecision(tx, stored, next, command, input);
    const saved = await saveTransition(tx, stored, next, {
      event: command.kind,
      reason: input.reason,
      ...(command.kind === 'break-glass' ? { bypass_reason: input.reason ?? '' } : {}),
    });
    return recordOf(saved);
  });
}

/** The person's decision as evidence, with the proof behind it; a bypass also owes a review. */
async function recordDecision(
  tx: Tx,
  { row, approval }: StoredApproval,
  next: Approval,
  command: ApprovalCommand,
  { reason, mfa_proof_id }: RecordCommand,
): Promise<void> {
  if (command.kind !== 'approve' && command.kind !== 'reject' && command.kind !== 'break-glass') return;
  const given = next.approvals.find((counted) => counted.approver_id === command.by.user_id);
  await tx.sql
    .insertInto('admin_approval_decisions')
    .values({
      tenant_id: tx.actor.tenant_id,
      approval_id: row.id,
      revision: approval.revision,
      digest: approval.digest,
      step: command.kind === 'approve' ? (given?.step ?? null) : null,
      approver_id: command.by.user_id,
      approver_roles: [...tx.actor.roles],
      verdict: verdicts[command.kind],
      reason,
      mfa_proof_id: mfa_proof_id ?? '',
    })
    .execute();
  if (command.kind !== 'break-glass') return;
  await openForcedReview(tx, {
    kind: 'bypass',
    approval_id: row.id,
    subject: `${row.action}${row.environment === null ? '' : ` in ${row.environment}`}`,
    reason: reason ?? '',
    due_in_seconds: approval.policy.bypass_review_seconds,
  });
}

const verdicts = { approve: 'approved', reject: 'rejected', 'break-glass': 'bypassed' } as const;

/** What a person must hold besides being named by the policy; cancelling is for authors and needs nothing more. */
const neededPermissions: Partial<Record<ApprovalCommand['kind'], Permission>> = {
  approve: 'approval:decide',
  reject: 'approval:decide',
  'break-glass': 'approval:break-glass',
  edit: 'approval:request',
};

function withoutPermission(command: ApprovalCommand, actor: Actor) {
  const needed = neededPermissions[command.kind];
  if (needed === undefined || actor.permissions.includes(needed)) return null;
  return { code: 'auth.forbidden', detail: `This needs the permission ${needed}.` } as const;
}

/** True when the row shows the command's effect already, or when a timer's reason has gone meanwhile. */
function isDone(approval: Approval, command: ApprovalCommand, at: number): boolean {
  switch (command.kind) {
    case 'approve':
      return (
        command.digest === approval.digest &&
        approval.approvals.some(({ approver_id }) => approver_id === command.by.user_id)
      );
    case 'reject':
      return approval.status === 'rejected';
    case 'break-glass':
      return approval.bypassed_by === command.by.user_id;
    case 'edit':
      return approval.digest === command.new_digest && approval.editors.includes(command.by.user_id);
    case 'cancel':
      return approval.status === 'cancelled';
    case 'expire':
      return isClosed(approval.status) || at < (approval.execution_due_at ?? approval.review_due_at);
    case 'abort':
    case 'return-to-review':
    case 'execute':
    case 'fail':
      return isClosed(approval.status);
  }
}

function withLiveRoles(command: RecordCommand['command'], actor: Actor): RecordCommand['command'] {
  if (!('by' in command)) return command;
  const by: EligiblePerson = { user_id: command.by.user_id, roles: actor.roles };
  return { ...command, by };
}

/** The actor with what the database grants at this moment; a person who is not active holds nothing. */
async function withRights(db: Database, actor: Actor): Promise<Actor> {
  if (actor.user_id === null) return actor;
  const rows = await read(db, actor, rightsQuery([actor.user_id]));
  const [rights]: PersonRights[] = rightsOfRows(rows);
  return { ...actor, roles: rights?.roles ?? [], permissions: rights?.permissions ?? [] };
}
