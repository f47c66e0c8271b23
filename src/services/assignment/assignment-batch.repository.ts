import { sql } from 'kysely';
import type { ContactOutcome } from '../../domain/assignment/assignment.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { notFound } from '../../platform/problem.ts';

/** What a batch begins with. */
interface NewBatch {
  readonly id: string;
  readonly kind: 'bulk' | 'hand_over';
  readonly campaign_id?: string;
  readonly from_user_id?: string;
  readonly to_user_id?: string | null;
  readonly on_conflict: 'skip' | 'reassign';
  readonly keep_owner?: boolean;
  readonly takes_from_others?: boolean;
  readonly total: number;
}

/** Stores a batch whose contacts are added by {@link insertBatchItems}. */
export async function insertBatch(tx: Tx, batch: NewBatch): Promise<void> {
  await tx.sql
    .insertInto('assignment_batches')
    .values({ tenant_id: tx.actor.tenant_id, requested_by: tx.actor.user_id, ...batch })
    .execute();
  const { id, ...new_values } = batch;
  tx.audit({
    event: 'assignment-batch.create',
    action: 'create',
    resource_type: 'assignment',
    resource_id: id,
    new_values,
  });
}

/** Whether a batch with this id was stored before. */
export async function batchExists(tx: Tx, id: string): Promise<boolean> {
  const found = await tx.sql.selectFrom('assignment_batches').where('id', '=', id).select('id').executeTakeFirst();
  return found !== undefined;
}

/** Adds the contacts of a batch, with positions from 1 in the order given. */
export async function insertBatchItems(
  tx: Tx,
  batchId: string,
  items: readonly { readonly contact_id: string; readonly campaign_id: string | null }[],
): Promise<void> {
  await sql`
    insert into assignment_batch_items (tenant_id, batch_id, position, contact_id, campaign_id)
    select ${tx.actor.tenant_id}::uuid, ${batchId}::uuid, d.place, (d.item ->> 'contact_id')::uuid,
      (d.item ->> 'campaign_id')::uuid
    from jsonb_array_elements(${JSON.stringify(items)}::jsonb) with ordinality as d(item, place)
  `.execute(tx.sql);
}

/** A batch as {@link lockBatch} reads it. */
export type LockedBatch = Awaited<ReturnType<typeof lockBatch>>;

/** Reads a batch and locks it until the transaction ends. @throws Problem 404. */
export async function lockBatch(tx: Tx, batchId: string) {
  const batch = await tx.sql
    .selectFrom('assignment_batches')
    .where('id', '=', batchId)
    .selectAll()
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (batch === undefined) throw notFound('assignment batch');
  return batch;
}

/**
 * The items of a batch that are still to be done, in order. Found by position and not by missing outcome: an index on
 * outcomes would make every saved outcome touch all indexes of the row.
 */
export function nextBatchItems(tx: Tx, { id, settled_position }: LockedBatch, limit: number) {
  return tx.sql
    .selectFrom('assignment_batch_items')
    .where('batch_id', '=', id)
    .where('position', '>', settled_position)
    .orderBy('position')
    .limit(limit)
    .select(['contact_id', 'campaign_id', 'position'])
    .execute();
}

/** Saves the outcomes of the items up to and including a position. */
export async function saveBatchOutcomes(
  tx: Tx,
  batchId: string,
  outcomes: readonly ContactOutcome[],
  position: number,
): Promise<void> {
  await sql`
    update assignment_batch_items i
    set outcome = d.outcome, detail = d.detail, user_id = d.user_id, settled_at = clock_timestamp()
    from json_to_recordset(${JSON.stringify(outcomes)}::json)
      as d(contact_id uuid, outcome text, detail text, user_id uuid)
    where i.batch_id = ${batchId}::uuid and i.contact_id = d.contact_id
  `.execute(tx.sql);
  await tx.sql.updateTable('assignment_batches').set({ settled_position: position }).where('id', '=', batchId).execute();
}

/** Ends a running batch. */
export async function finishBatch(tx: Tx, batchId: string, status: 'completed' | 'cancelled'): Promise<void> {
  await tx.sql
    .updateTable('assignment_batches')
    .set({ status, finished_at: sql<string>`clock_timestamp()` })
    .where('id', '=', batchId)
    .execute();
  tx.audit({
    event: status === 'completed' ? 'assignment-batch.complete' : 'assignment-batch.cancel',
    action: 'update',
    resource_type: 'assignment',
    resource_id: batchId,
    old_values: { status: 'running' },
    new_values: { status },
  });
}
