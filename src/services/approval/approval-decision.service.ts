import { setTimeout } from 'node:timers/promises';
import type { UpdateDefinition } from '@temporalio/common';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { isClosed } from '../../domain/approval/approval.ts';
import { authorsOf } from '../../domain/approval/approval-independence.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import { weakens } from '../../domain/approval/gate-strength.ts';
import type { PreparedAction } from '../actions/action.ts';
import type { ApprovalView } from '../../domain/approval/approval-presentation.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { delegateProof } from '../../platform/security/mfa-token.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import { editUpdate } from '../../workflows/approval/approval.contract.ts';
import type { PersonalMessage } from '../../workflows/approval/approval.contract.ts';
import { approvalsQuery } from './approval-row.queries.ts';
import { assertSayable } from './approval-command.service.ts';
import { assertSatisfiable } from './approval-opening.service.ts';
import { storePayload } from './approval-payload.repository.ts';
import { changeFor, personRef } from './approval-request.service.ts';
import { forgetRefresh } from '../commands/workflow-start.repository.ts';
import { withNames } from './refusal-explanation.service.ts';
import { sendApprovalUpdate } from './approval.client.ts';

/** Who sends a message: the caller and the proof of the caller's second factor. */
interface Sender {
  readonly actor: Actor;
  readonly mfa: MfaProof | null;
  readonly command: WorkflowCommand;
}

/** The message of a caller to the workflow; it names the person and the proof of the second factor by id. */
function personalMessage({ actor, mfa, command }: Sender, said: { digest: string; reason: string | null }): PersonalMessage {
  return {
    digest: said.digest,
    reason: said.reason,
    actor: personRef(actor),
    roles: [...actor.roles],
    mfa_proof_id: delegateProof(mfa),
    command_id: command.command_id,
  };
}

/**
 * Approves, rejects, bypasses or cancels a request by one call to its workflow, which judges the message, records it and
 * answers with the row. It costs no statement of the API; the activity that records the decision consumes the proof of
 * the second factor.
 *
 * @param said `digest` identifies the payload that the caller has seen; empty for a cancellation.
 * @throws Problem the workflow's refusal; for a request whose workflow has ended, what the row says.
 */
export async function decideApproval(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  sender: Sender,
  approvalId: string,
  update: UpdateDefinition<ApprovalView, [PersonalMessage]>,
  said: { readonly digest: string; readonly reason: string | null },
): Promise<ApprovalView> {
  return send(deps, sender, approvalId, update, personalMessage(sender, said));
}

/**
 * Refuses inside a transaction that is rolled back what {@link decideApproval} would be refused for.
 *
 * @throws Problem with names.
 */
export async function rehearseDecision(
  tx: Tx,
  keyring: Keyring,
  approvalId: string,
  said: { readonly kind: 'approve' | 'reject' | 'break-glass' | 'cancel' | 'withdraw'; readonly digest: string },
): Promise<void> {
  const { user_id } = personRef(tx.actor);
  const command = { ...said, by: { user_id, roles: tx.actor.roles } };
  try {
    await assertSayable(tx, keyring, approvalId, command);
  } catch (error) {
    throw error instanceof Problem ? await withNames(tx, tx.actor, error) : error;
  }
}

/** Refuses inside a transaction that is rolled back what {@link editApproval} would be refused for. */
export async function rehearseEdit(
  tx: Tx,
  keyring: Keyring,
  approvalId: string,
  edit: { readonly digest: string; readonly payload: unknown },
): Promise<void> {
  const new_digest = await prepareEdit(tx, keyring, approvalId, edit.payload);
  const by = { user_id: personRef(tx.actor).user_id, roles: tx.actor.roles };
  await assertSayable(tx, keyring, approvalId, { kind: 'edit', by, digest: edit.digest, new_digest });
}

/** Asks others than the database about the new change of a request, before any transaction. @throws Problem 404, or its refusal. */
export async function precheckEdit(
  deps: Pick<ProcessDeps, 'db' | 'outbound'>,
  actor: Actor,
  approvalId: string,
  payload: unknown,
): Promise<void> {
  const query = kysely.selectFrom('admin_approvals').where('id', '=', approvalId).select('action');
  const [row] = await read(deps.db, actor, query);
  if (row === undefined) throw notFound('approval request');
  await changeFor(actor, row.action, payload).precheck(deps);
}

/** Checks the new change of a request and stores it. @returns its digest. */
async function prepareEdit(tx: Tx, keyring: Keyring, approvalId: string, payload: unknown): Promise<string> {
  const [row] = await read(tx, tx.actor, approvalsQuery().where('a.id', '=', approvalId));
  if (row === undefined) throw notFound('approval request');
  const prepared = changeFor(tx.actor, row.action, payload);
  if (prepared.environment !== row.environment) {
    throw new Problem({ code: 'resource.conflict', detail: 'An edit cannot move a request to another environment.' });
  }
  await prepared.check(tx);
  await assertSamePolicy(tx, prepared, row.policy);
  const writers = await prepared.writers(tx);
  await assertSatisfiable(tx, row.policy, [...new Set([...authorsOf(row), personRef(tx.actor).user_id, ...writers])]);
  return storePayload(tx, keyring, prepared);
}

/**
 * Where the payload chooses who approves it, an edit must not be approved by those whom another payload has chosen.
 *
 * @throws Problem `resource.conflict`.
 */
async function assertSamePolicy(tx: Tx, prepared: PreparedAction, frozen: ApprovalPolicy): Promise<void> {
  const own = await prepared.policy(tx, tx.actor);
  if (own === null || !weakens({ gate: 'approval', policy: own }, { gate: 'approval', policy: frozen })) return;
  throw new Problem({
    code: 'resource.conflict',
    detail: 'This change takes the approval of others than the request was opened for. Open a new request.',
  });
}

/**
 * Replaces the payload of a request; its approvals start again.
 *
 * @throws Problem as {@link decideApproval}, `resource.conflict` for another environment, and when the new change is
 *   stale, impossible or nobody could approve it.
 */
export async function editApproval(
  deps: Pick<ProcessDeps, 'db' | 'keyring' | 'temporal' | 'outbound'>,
  sender: Sender,
  approvalId: string,
  edit: { readonly digest: string; readonly payload: unknown; readonly reason: string | null },
): Promise<ApprovalView> {
  const message = personalMessage(sender, edit);
  await precheckEdit(deps, sender.actor, approvalId, edit.payload);
  const new_digest = await unitOfWork(deps.db, sender.actor, (tx) => prepareEdit(tx, deps.keyring, approvalId, edit.payload));
  return send(deps, sender, approvalId, editUpdate, { ...message, new_digest });
}

/** A workflow learns of a commit within milliseconds; two seconds cover a busy machine. */
const resendPauseMs = 100;
const maxResends = 20;

async function send<Message extends PersonalMessage>(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor, command }: Sender,
  approval_id: string,
  update: UpdateDefinition<ApprovalView, [Message]>,
  message: Message,
): Promise<ApprovalView> {
  for (let resends = 0; ; resends += 1) {
    try {
      const view = await sendApprovalUpdate(deps, { tenant_id: actor.tenant_id, approval_id }, update, message, command);
      forgetRefresh(deps, actor.tenant_id, command.command_id);
      return view;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === 'resource.not-found') throw await endedWorkflow(deps, actor, approval_id);
      if (resends === maxResends || !(await isBehindRow(deps, actor, approval_id, message, error))) {
        throw await withNames(deps.db, actor, error);
      }
      await setTimeout(resendPauseMs);
    }
  }
}

/** Refusals that depend on nothing but the state of a request, of which the workflow holds a copy. */
const stateRefusals: readonly string[] = ['approval.not-pending', 'approval.digest-mismatch'];

/**
 * True when the workflow refused a message that the committed row allows. An activity commits the row before its result
 * reaches the workflow. Whoever reads the row in between and decides at once is ahead of the workflow: after an approved
 * request has gone back to review, after an edit, or right after the opening. A refusal by the validator consumes no
 * proof and leaves no event in the history, so the same message can be sent again.
 */
async function isBehindRow(
  { db }: Pick<ProcessDeps, 'db'>,
  actor: Actor,
  approvalId: string,
  { digest }: PersonalMessage,
  refused: Problem,
): Promise<boolean> {
  if (!stateRefusals.includes(refused.code)) return false;
  const row = kysely.selectFrom('admin_approvals').where('id', '=', approvalId).select(['status', 'digest']);
  const [committed] = await read(db, actor, row);
  return committed?.status === 'pending' && committed.digest === digest;
}

/** Why a request has no running workflow. */
async function endedWorkflow({ db }: Pick<ProcessDeps, 'db'>, actor: Actor, approvalId: string): Promise<Problem> {
  const [row] = await read(db, actor, kysely.selectFrom('admin_approvals').where('id', '=', approvalId).select('status'));
  if (row === undefined) return notFound('approval request');
  return new Problem({
    code: 'approval.closed',
    detail: isClosed(row.status)
      ? `The request is ${row.status} and cannot be changed.`
      : 'The workflow of this request was ended by an operator: open a new request.',
    members: { status: row.status },
  });
}
