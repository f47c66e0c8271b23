import { sql } from 'kysely';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { isSettled } from '../../domain/queue/queue.ts';
import type { QueueEventKind, QueueEventState } from '../../domain/queue/queue.ts';
import { assertQueueCapability } from '../../platform/outbound/queue-provider.ts';
import type { QueueProviders } from '../../platform/outbound/queue-provider.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import type { BulkRetryEnd, BulkRetryPlan } from '../../workflows/queue/queue-bulk-retry.contract.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../platform/row-version.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { cancelRequestedAt, queueEventColumns } from './queue.queries.ts';

/** Locks a registered queue for the rest of the transaction. @throws Problem `resource.not-found` */
export async function lockQueue(tx: Tx, by: { readonly id: string } | { readonly name: string }) {
  const row = await tx.sql
    .selectFrom('admin_queues')
    .where('removed_at', 'is', null)
    .where((eb) => eb.and({ ...by }))
    .selectAll()
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw notFound('queue');
  return row;
}

/** An operation that is about to be attempted. */
interface NewQueueEvent {
  /** Given by a workflow, so that a repetition finds the event; generated when left out. */
  readonly id?: string;
  readonly queue_id: string;
  readonly kind: QueueEventKind;
  readonly state?: QueueEventState;
  readonly job_id?: string | null;
  readonly reason?: string | null;
  readonly details?: JsonObject;
  readonly approval_id?: string | null;
}

/**
 * Records an operation, with an audit entry, before its engine is asked: so it is known even if the process dies before
 * the result is.
 *
 * @returns the event; for an id that was used before, the existing one.
 */
export async function openQueueEvent(tx: Tx, event: NewQueueEvent) {
  const { state = 'requested', details = {}, ...columns } = event;
  const row = await tx.sql
    .insertInto('admin_queue_events')
    .values({
      ...columns,
      state,
      details: jsonb(details),
      tenant_id: tx.actor.tenant_id,
      requested_by: tx.actor.user_id,
      ...(isSettled(state) ? { finished_at: sql<string>`now()` } : {}),
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning(queueEventColumns)
    .executeTakeFirst();
  if (row === undefined) {
    return tx.sql
      .selectFrom('admin_queue_events')
      .where('id', '=', event.id ?? '')
      .select(queueEventColumns)
      .executeTakeFirstOrThrow();
  }
  auditEvent(tx, row);
  return row;
}

/** A bulk retry that its workflow begins. */
interface NewBulkRetry {
  readonly queue_id: string;
  readonly bulk_id: string;
  readonly reason: string;
  readonly plan: BulkRetryPlan;
  readonly mfa_proof_id: string;
}

/**
 * Records the begin of a bulk retry and consumes its factor proof; a repetition changes nothing.
 *
 * @throws Problem 404, `queue.unsupported`, or `mfa.required` for a proof that is not good any more.
 */
export async function beginBulkRetry(tx: Tx, queues: Pick<QueueProviders, 'of'>, retry: NewBulkRetry): Promise<void> {
  const { queue_id, bulk_id, reason, plan, mfa_proof_id } = retry;
  const { provider } = await lockQueue(tx, { id: queue_id });
  const known = await tx.sql.selectFrom('admin_queue_events').where('id', '=', bulk_id).select('id').executeTakeFirst();
  if (known !== undefined) return;
  assertQueueCapability(queues.of(provider), 'retry');
  await consumeMfaProof(tx, mfa_proof_id, tx.actor);
  await openQueueEvent(tx, { id: bulk_id, queue_id, kind: 'bulk_retry', state: 'running', reason, details: { ...plan } });
}

/** Records that a running bulk retry is to end. @throws Problem `queue.retry-over` when it has ended already. */
export async function recordBulkRetryCancel(tx: Tx, bulkId: string): Promise<void> {
  const recorded = await tx.sql
    .updateTable('admin_queue_events')
    .set({
      details: sql<JsonObject>`jsonb_build_object('cancel_requested_at', clock_timestamp()) || details`,
      version: nextVersion(),
      updated_at: sql<string>`clock_timestamp()`,
    })
    .where('id', '=', bulkId)
    .where('state', '=', 'running')
    .returning('id')
    .executeTakeFirst();
  if (recorded === undefined) throw new Problem({ code: 'queue.retry-over', detail: 'The bulk retry has ended already.' });
}

/** Records how a bulk retry has ended. One that was to end is cancelled, though it may have retried the last job already. */
export async function endBulkRetryEvent(tx: Tx, id: string, end: BulkRetryEnd, details: JsonObject): Promise<void> {
  const event = await tx.sql
    .selectFrom('admin_queue_events')
    .where('id', '=', id)
    .select(cancelRequestedAt)
    .forNoKeyUpdate()
    .executeTakeFirst();
  const isCancelled = end === 'done' && event?.cancel_requested_at != null;
  await settleQueueEvent(tx, id, { state: isCancelled ? 'cancelled' : end, details });
}

/** How an operation has ended, or its progress. */
interface QueueEventOutcome {
  readonly state: QueueEventState;
  /** Merged into the details of the event. */
  readonly details?: JsonObject;
}

/** Records the result of an operation; a settled event stays as it is. @returns the event, or null when it was settled. */
export async function settleQueueEvent(tx: Tx, id: string, { state, details = {} }: QueueEventOutcome) {
  const settled = await tx.sql
    .updateTable('admin_queue_events')
    .set({
      state,
      details: sql<JsonObject>`details || ${jsonb(details)}`,
      ...(isSettled(state) ? { finished_at: sql<string>`now()` } : {}),
      version: nextVersion(),
      updated_at: sql<string>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .where('state', 'in', ['requested', 'running'])
    .returning(queueEventColumns)
    .executeTakeFirst();
  if (settled !== undefined) auditEvent(tx, settled);
  return settled ?? null;
}

type QueueEventRow = Awaited<ReturnType<typeof openQueueEvent>>;

/** One audit entry for each step: requested, done, failed. */
function auditEvent(tx: Tx, { id, queue_id, kind, state, job_id, reason, details }: QueueEventRow): void {
  tx.audit({
    event: `queue.${kind.replaceAll('_', '-')}`,
    action: kind === 'remove' || kind === 'clean' ? 'delete' : kind === 'register' ? 'create' : 'update',
    resource_type: 'queue',
    resource_id: queue_id,
    new_values: { event_id: id, state, job_id, reason, details },
  });
}
