import { applyCommand, isClosed, openApproval, refusal } from '../../domain/approval/approval.ts';
import type { Approval, ApprovalCommand } from '../../domain/approval/approval.ts';
import type { EligiblePerson } from '../../domain/approval/approval-policy.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { Database } from '../../platform/database/database.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { commandUnitOfWork, giveUpCommand } from '../commands/command.repository.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import type { ApprovalRecord, OpenApproval, RecordCommand } from '../../workflows/approval/approval.contract.ts';
import {
  findApproval,
  insertApproval,
  insertDecision,
  lockApproval,
  recordOf,
  saveTransition,
} from './approval.repository.ts';
import type { StoredApproval } from './approval.repository.ts';
import { assertNotBarred, openBreakGlassReview } from './break-glass-review.service.ts';
import { rightsOfRows, rightsQuery } from './eligible-people.queries.ts';
import type { PersonRights } from './eligible-people.queries.ts';

type Deps = Pick<ProcessDeps, 'db' | 'keyring'>;

/**
 * Writes a request down; a repetition finds it there.
 *
 * @param asked the requester, acting through the workflow of the request.
 * @throws Problem `mfa.required` when the proof of the second factor is not valid any more.
 */
export async function recordRequest(deps: Deps, asked: Actor, input: OpenApproval): Promise<ApprovalRecord> {
  const requester = await withRights(deps.db, asked);
  return commandUnitOfWork(deps, requester, input.command_id, async (tx) => {
    const existing = await findApproval(tx, input.approval_id);
    if (existing !== undefined) return recordOf(existing);
    await consumeMfaProof(tx, input.mfa_proof_id, requester);
    const approval = {
      ...openApproval({ ...input, requested_by: input.requester.user_id }, 0),
      review_due_at: input.review_due_at,
    };
    const row = await insertApproval(tx, approval, input);
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
 * What became of the opening of a request that its workflow has heard nothing of: written by a task that was lost, or given up
 * herewith, so that it is not written later either.
 *
 * @returns the request, or null when there is none and never will be.
 */
export async function settleRequest({ db }: Pick<Deps, 'db'>, actor: Actor, approvalId: string): Promise<ApprovalRecord | null> {
  return unitOfWork(db, actor, async (tx) => {
    // The command of the opening has given the request its id.
    giveUpCommand(tx, approvalId);
    const stored = await findApproval(tx, approvalId, true);
    return stored === undefined ? null : recordOf(stored);
  });
}

/**
 * Judges a command again, on the locked row and by the rights that its sender holds now, and applies it. A command that
 * is applied already is a repetition, since a local activity may run twice, and answers with the row as it is.
 *
 * @param sender whoever sent the command, acting through the workflow of the request.
 * @throws Problem why it is refused.
 */
export async function recordCommand(deps: Deps, sender: Actor, input: RecordCommand): Promise<ApprovalRecord> {
  const actor = await withRights(deps.db, sender);
  return commandUnitOfWork(deps, actor, input.command_id, async (tx) => {
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

/** Records a decision with the proof of the second factor; a bypass also opens its review. */
async function recordDecision(
  tx: Tx,
  { row, approval }: StoredApproval,
  next: Approval,
  command: ApprovalCommand,
  { reason, mfa_proof_id }: RecordCommand,
): Promise<void> {
  if (command.kind !== 'approve' && command.kind !== 'reject' && command.kind !== 'break-glass') return;
  const given = next.approvals.find((counted) => counted.approver_id === command.by.user_id);
  await insertDecision(tx, approval, {
    approval_id: row.id,
    step: command.kind === 'approve' ? (given?.step ?? null) : null,
    approver_id: command.by.user_id,
    verdict: verdicts[command.kind],
    reason,
    mfa_proof_id: mfa_proof_id ?? '',
  });
  if (command.kind !== 'break-glass') return;
  await openBreakGlassReview(tx, {
    kind: 'bypass',
    approval_id: row.id,
    subject: `${row.action}${row.environment === null ? '' : ` in ${row.environment}`}`,
    reason: reason ?? '',
    due_in_seconds: approval.policy.bypass_review_seconds,
  });
}

const verdicts = { approve: 'approved', reject: 'rejected', 'break-glass': 'bypassed' } as const;

/** The permission a person needs besides being named by the policy. Authors may always cancel. */
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

/** True when the command is applied already, or a timer's command has become pointless meanwhile. */
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

/** The actor with the roles and permissions of the database now; a person who is not active has none. */
async function withRights(db: Database, actor: Actor): Promise<Actor> {
  if (actor.user_id === null) return actor;
  const rows = await read(db, actor, rightsQuery([actor.user_id]));
  const [rights]: PersonRights[] = rightsOfRows(rows);
  return { ...actor, roles: rights?.roles ?? [], permissions: rights?.permissions ?? [] };
}

/**
 * Closes a request whose workflow has ended without doing so, as that would have done when cancelled. A change that was
 * under way when the workflow was terminated finds the request closed, or has been made before.
 *
 * @param workflowStatus how the workflow ended, in Temporal's words.
 * @returns false when the request was closed meanwhile.
 */
export async function closeAbandonedApproval(
  db: Database,
  actor: Actor,
  approvalId: string,
  workflowStatus: string,
): Promise<boolean> {
  return unitOfWork(db, actor, async (tx) => {
    const stored = await lockApproval(tx, approvalId);
    if (isClosed(stored.approval.status)) return false;
    const next = applyCommand(stored.approval, { kind: 'abort' }, 0);
    await saveTransition(tx, stored, next, {
      event: 'abort',
      reason: `The workflow of the request had ended: ${workflowStatus.toLowerCase()}.`,
      details: { workflow_status: workflowStatus },
    });
    return true;
  });
}
