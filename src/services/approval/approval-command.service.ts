import { authorsOf, personRefusal, withWriters } from '../../domain/approval/approval-independence.ts';
import { applyCommand, isClosed, openApproval, refusal } from '../../domain/approval/approval.ts';
import type { Approval, ApprovalCommand } from '../../domain/approval/approval.ts';
import type { EligiblePerson } from '../../domain/approval/approval-policy.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { Database } from '../../platform/database/database.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { commandUnitOfWork, giveUpCommand } from '../commands/command.repository.ts';
import { putRefresh } from '../commands/workflow-start.repository.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import type { ApprovalRecord, OpenApproval, RecordCommand } from '../../workflows/approval/approval.contract.ts';
import {
  findApproval,
  insertApproval,
  insertDecision,
  lockApproval,
  recordOf,
  saveTransition,
  voidDecisions,
} from './approval.repository.ts';
import type { FrozenChange, StoredApproval } from './approval.repository.ts';
import { assertNotBarred, openBreakGlassReview } from './break-glass-review.service.ts';
import { assertOpenable, consumeOpeningProof, lockOpening } from './approval-opening.service.ts';
import { loadChange } from './approval-payload.repository.ts';
import { assertNotStale, assertStillPossible, freezeBasis } from './approval-staleness.service.ts';
import { rightsOfRows, rightsQuery } from './eligible-people.queries.ts';
import type { PersonRights } from './eligible-people.queries.ts';
import { peopleFacts } from './people-facts.queries.ts';
import { personProblem } from './refusal-explanation.service.ts';

type Deps = Pick<ProcessDeps, 'db' | 'keyring'>;

/**
 * Writes a request down; a repetition finds it there.
 *
 * @param asked the requester, acting through the workflow of the request.
 * @throws Problem `mfa.required` or `auth.password-refused` when what the requester has proven is not valid any more.
 */
export async function recordRequest(deps: Deps, asked: Actor, input: OpenApproval): Promise<ApprovalRecord> {
  const requester = await withRights(deps.db, asked);
  return commandUnitOfWork(deps, requester, input.command_id, async (tx) => {
    const existing = await findApproval(tx, input.approval_id);
    if (existing !== undefined) return recordOf(existing);
    const prepared = await loadChange(tx, deps.keyring, input.action, input.digest);
    const frozen = await freezeBasis(tx, prepared);
    lockOpening(tx, input.requester.user_id, frozen.change_digest);
    await assertOpenable(tx, input.requester.user_id, frozen.change_digest);
    await consumeOpeningProof(tx, prepared.action, input);
    const opened = {
      ...openApproval({ ...input, requested_by: input.requester.user_id }, 0),
      review_due_at: input.review_due_at,
    };
    const approval = withWriters(opened, await prepared.writers(tx));
    const row = await insertApproval(tx, approval, input, { ...(await prepared.present(tx, requester)), ...frozen });
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

/** The request as it is stored. @throws Problem `resource.not-found` */
export async function readRequest({ db }: Pick<Deps, 'db'>, actor: Actor, approvalId: string): Promise<ApprovalRecord> {
  return unitOfWork(db, actor, async (tx) => recordOf(await lockApproval(tx, approvalId)));
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
    const edited = await judge(tx, deps.keyring, stored, command, { at: input.at, isTried: false });
    if (input.mfa_proof_id !== null) await consumeMfaProof(tx, input.mfa_proof_id, actor);
    const applied = applyCommand(stored.approval, command, input.at);
    const next = edited === null ? applied : withWriters(applied, edited.writers);
    await recordDecision(tx, stored, next, command, input);
    const saved = await saveTransition(tx, stored, next, {
      event: command.kind,
      reason: input.reason,
      ...(command.kind === 'break-glass' ? { bypass_reason: input.reason ?? '' } : {}),
      ...(edited === null ? {} : { frozen: edited.frozen }),
    });
    const record = recordOf(saved);
    putRefresh(tx, input.command_id, 'approval-refresh', { approval_id: input.approval_id, version: record.view.version });
    return record;
  });
}

/**
 * Judges what a person would say to a request, without recording it: what the transaction of the command would refuse.
 *
 * @param tx of the person.
 * @throws Problem why it is refused.
 */
export async function assertSayable(
  tx: Tx,
  keyring: Keyring,
  approvalId: string,
  command: Extract<RecordCommand['command'], { by: unknown }>,
): Promise<void> {
  const stored = await lockApproval(tx, approvalId);
  await judge(tx, keyring, stored, command, { at: Date.now(), isTried: true });
}

/** What an edit brings besides its payload: what approvers read from now on, and who wrote what the payload refers to. */
interface EditedChange {
  readonly frozen: FrozenChange;
  readonly writers: readonly string[];
}

/**
 * Judges a command by the state of the request, then by what only the database knows: the rights of its sender, who stands
 * behind whom, and whether the change could still be made.
 *
 * @param at milliseconds since the epoch.
 * @param isTried nothing is kept, so what the change would touch may be locked.
 * @returns what an edit brings; null for every other command.
 * @throws Problem why it is refused.
 */
async function judge(
  tx: Tx,
  keyring: Keyring,
  stored: StoredApproval,
  command: ApprovalCommand,
  { at, isTried }: { readonly at: number; readonly isTried: boolean },
): Promise<EditedChange | null> {
  const { row, approval } = stored;
  const impossible = refusal(approval, command, at) ?? withoutPermission(command, tx.actor);
  if (impossible !== null) throw new Problem(impossible);
  if (!('by' in command) || command.kind === 'cancel' || command.kind === 'withdraw') return null;
  const facts = await peopleFacts(tx, tx.actor, stored, command.by.user_id);
  const refused = personRefusal(approval, command, facts, at);
  if (refused !== null) throw personProblem(refused);
  switch (command.kind) {
    case 'reject':
      return null;
    case 'break-glass':
      await assertNotBarred(tx, [command.by.user_id, ...authorsOf(approval)], at);
      return null;
    case 'approve': {
      const prepared = await loadChange(tx, keyring, row.action, approval.digest);
      await (isTried ? assertStillPossible(tx, prepared, row) : assertNotStale(tx, prepared, row.basis_digest));
      return null;
    }
    case 'edit': {
      const prepared = await loadChange(tx, keyring, row.action, command.new_digest);
      const frozen = await freezeBasis(tx, prepared);
      lockOpening(tx, approval.requested_by, frozen.change_digest);
      await assertOpenable(tx, approval.requested_by, frozen.change_digest, row.id);
      return { frozen: { ...(await prepared.present(tx, tx.actor)), ...frozen }, writers: await prepared.writers(tx) };
    }
  }
}

/** Records a decision with the proof of the second factor; a bypass also opens its review. */
async function recordDecision(
  tx: Tx,
  { row, approval }: StoredApproval,
  next: Approval,
  command: ApprovalCommand,
  { reason, mfa_proof_id }: RecordCommand,
): Promise<void> {
  if (command.kind === 'withdraw') {
    const standing = next.approvals.map(({ approver_id }) => approver_id);
    const fallen = approval.approvals.map(({ approver_id }) => approver_id).filter((id) => !standing.includes(id));
    await voidDecisions(tx, row.id, fallen, 'withdrawn');
  }
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

/** The permission a person needs besides being named by the policy. Authors may always cancel, voters withdraw. */
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
    case 'withdraw':
      return !approval.approvals.some(({ approver_id }) => approver_id === command.by.user_id);
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
