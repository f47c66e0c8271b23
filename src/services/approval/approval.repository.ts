import { sql } from 'kysely';
import { isClosed } from '../../domain/approval/approval.ts';
import type { Approval } from '../../domain/approval/approval.ts';
import { presentApproval } from '../../domain/approval/approval-presentation.ts';
import type { JsonObject, JsonValue } from '../../domain/shared/canonical.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { approvalColumns, approvalOfRow, approvalsQuery, changeOf } from './approval-row.queries.ts';
import type { ApprovalRow } from './approval-row.queries.ts';
import type { ChangeText } from '../actions/action.ts';
import type { FrozenBasis } from './approval-staleness.service.ts';
import type { ApprovalEvent, VoidReason } from '../../entities/approval/approval.entity.ts';
import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../platform/row-version.ts';
import type { ApprovalRecord, OpenApproval } from '../../workflows/approval/approval.contract.ts';

/** A request of the database: its row and its state. */
export interface StoredApproval {
  readonly row: ApprovalRow;
  readonly approval: Approval;
}

/** Loads a request and locks it until the transaction ends. @throws Problem `resource.not-found`. */
export async function lockApproval(tx: Tx, id: string): Promise<StoredApproval> {
  const stored = await findApproval(tx, id, true);
  if (stored === undefined) throw notFound('approval request');
  return stored;
}

/**
 * Loads a request, or undefined. The lock is a statement of its own, because the row and its approvals must be read with
 * a snapshot that was taken after the wait for the lock.
 */
export async function findApproval(tx: Tx, id: string, forUpdate = false): Promise<StoredApproval | undefined> {
  if (forUpdate) await tx.sql.selectFrom('admin_approvals').where('id', '=', id).select('id').forUpdate().execute();
  const { rows } = await tx.sql.executeQuery(approvalsQuery().where('a.id', '=', id).compile());
  const [row] = rows;
  return row === undefined ? undefined : { row, approval: approvalOfRow(row, row.approvals) };
}

/** What is frozen of a change: what approvers read of it, and what it is judged by. */
export type FrozenChange = ChangeText & FrozenBasis;

/** Inserts a request with what approvers read of it, and the first entry of its history. */
export async function insertApproval(
  tx: Tx,
  approval: Approval,
  request: Pick<OpenApproval, 'approval_id' | 'action' | 'environment' | 'reason'>,
  { description, changes, basis_digest, change_digest }: FrozenChange,
): Promise<ApprovalRow> {
  const row = await tx.sql
    .insertInto('admin_approvals')
    .values({
      id: request.approval_id,
      tenant_id: tx.actor.tenant_id,
      action: request.action,
      environment: request.environment,
      digest: approval.digest,
      requested_by: approval.requested_by,
      editors: sql<string[]>`${approval.editors}::uuid[]`,
      reason: request.reason,
      policy: jsonb(approval.policy),
      review_due_at: new Date(approval.review_due_at).toISOString(),
      workflow_id: tx.actor.workflow_id ?? '',
      description,
      changes: jsonb([...changes]),
      basis_digest,
      change_digest,
    })
    .returning([...approvalColumns, changeOf().as('change_digest')])
    .executeTakeFirstOrThrow();
  await appendHistory(tx, row, null, { event: 'opened', reason: request.reason });
  return row;
}

/** What a person decided, with the proof of the second factor behind it. */
interface NewDecision {
  readonly approval_id: string;
  /** Index of the policy step; only approvals have one. */
  readonly step: number | null;
  readonly approver_id: string;
  readonly verdict: 'approved' | 'rejected' | 'bypassed';
  readonly reason: string | null;
  readonly mfa_proof_id: string;
}

/** Records a decision on the present revision of a request, with the roles that the approver holds now. */
export async function insertDecision(tx: Tx, { revision, digest }: Approval, decision: NewDecision): Promise<void> {
  await tx.sql
    .insertInto('admin_approval_decisions')
    .values({ ...decision, tenant_id: tx.actor.tenant_id, revision, digest, approver_roles: [...tx.actor.roles] })
    .execute();
}

/** What a transition writes to the row and to the history besides the state. */
interface TransitionNote {
  readonly event: ApprovalEvent;
  readonly reason: string | null;
  readonly bypass_reason?: string;
  readonly result?: JsonValue;
  readonly failure?: { readonly code: string; readonly detail: string };
  /** What is frozen from now on. */
  readonly frozen?: FrozenChange;
  /** Facts for the history, without payloads. */
  readonly details?: JsonObject;
}

/** Writes the next state of a locked request with history and audit entry. @returns the request as written. */
export async function saveTransition(
  tx: Tx,
  { row, approval: before }: StoredApproval,
  next: Approval,
  note: TransitionNote,
): Promise<StoredApproval> {
  const saved = await tx.sql
    .updateTable('admin_approvals')
    .set({
      status: next.status,
      revision: next.revision,
      digest: next.digest,
      editors: sql<string[]>`${next.editors}::uuid[]`,
      bypassed_by: next.bypassed_by,
      bypass_reason: next.bypassed_by === null ? null : (note.bypass_reason ?? row.bypass_reason),
      execution_due_at: next.execution_due_at === null ? null : new Date(next.execution_due_at).toISOString(),
      executed_at: next.status === 'executed' ? sql<string>`now()` : null,
      closed_at: isClosed(next.status) ? sql<string>`now()` : null,
      failure_code: note.failure?.code ?? null,
      failure_detail: note.failure?.detail ?? null,
      version: nextVersion(),
      updated_at: sql<string>`now()`,
    })
    .set(note.frozen === undefined ? {} : { ...note.frozen, changes: jsonb([...note.frozen.changes]) })
    .$if(note.result !== undefined, (update) => update.set({ result: jsonb(note.result ?? null) }))
    .where('id', '=', row.id)
    .returning([...approvalColumns, changeOf().as('change_digest')])
    .executeTakeFirstOrThrow();
  if (next.revision !== before.revision) await voidDecisions(tx, row.id, null, 'edited');
  await appendHistory(tx, saved, before.status, note);
  tx.audit({
    event: `approval.${note.event}`,
    action: 'update',
    resource_type: 'approval',
    resource_id: row.id,
    old_values: { status: before.status, revision: before.revision, digest: before.digest },
    new_values: {
      status: next.status,
      revision: next.revision,
      digest: next.digest,
      reason: note.reason,
      ...(note.failure === undefined ? {} : { failure_code: note.failure.code }),
      ...note.details,
    },
  });
  return { row: saved, approval: next };
}

/** Voids decisions, which stay on record: all that count, or with `approverIds` those of some people. */
export async function voidDecisions(
  tx: Tx,
  approvalId: string,
  approverIds: readonly string[] | null,
  reason: VoidReason,
): Promise<void> {
  if (approverIds?.length === 0) return;
  await tx.sql
    .updateTable('admin_approval_decisions')
    .set({ voided_at: sql<string>`now()`, void_reason: reason })
    .where('approval_id', '=', approvalId)
    .where('voided_at', 'is', null)
    .where((eb) => eb.and(approverIds === null ? [] : [eb('approver_id', 'in', [...approverIds])]))
    .execute();
}

/** Appends to the history; the position is the version of the request after the transition. */
async function appendHistory(
  tx: Tx,
  row: ApprovalRow,
  fromStatus: ApprovalRow['status'] | null,
  note: TransitionNote,
): Promise<void> {
  await tx.sql
    .insertInto('admin_approval_history')
    .values({
      tenant_id: tx.actor.tenant_id,
      approval_id: row.id,
      event: note.event,
      from_status: fromStatus,
      to_status: row.status,
      revision: row.revision,
      digest: row.digest,
      actor_id: tx.actor.user_id,
      reason: note.reason,
      details: jsonb(note.details ?? {}),
      position: row.version,
    })
    .execute();
}

/** What an activity returns to the workflow. */
export function recordOf({ row, approval }: StoredApproval): ApprovalRecord {
  return { approval, view: presentApproval(row, approval) };
}
