import { sql } from 'kysely';
import type { ContactOutcome } from '../../domain/assignment/assignment.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assignContacts } from './contact-assignment.service.ts';
import { handOverContacts } from './reassign.service.ts';
import { lockCampaign, assertActiveUser } from './campaign-pool.service.ts';

/** At most this many contacts a batch. */
export const maxBatchSize = 10_000;
/** Contacts a transaction: few commits for many contacts, and the campaign's lock is held well below a second. */
export const batchChunkSize = 1_000;

export interface BulkRequest {
  readonly batch_id: string;
  readonly campaign_id: string;
  /** Null: all contacts that nobody looks after and that wait in no queue, oldest first. */
  readonly contact_ids: readonly string[] | null;
  /** Only those from this source, where no ids are given. */
  readonly source: string | null;
  readonly on_conflict: 'skip' | 'reassign';
  readonly keep_owner: boolean;
}

/**
 * Writes down what a batch has to deal; its workflow does it.
 *
 * @returns how many contacts there are.
 * @throws Problem 404 when there is no such campaign.
 */
export async function createBulkBatch(tx: Tx, request: BulkRequest): Promise<number> {
  const { batch_id, campaign_id, contact_ids, source, on_conflict, keep_owner } = request;
  await lockCampaign(tx, campaign_id);
  const ids = contact_ids ?? (await unassignedContacts(tx, source));
  await insertBatch(tx, { id: batch_id, kind: 'bulk', campaign_id, on_conflict, keep_owner, total: ids.length });
  await insertItems(tx, batch_id, ids.map((contact_id) => ({ contact_id, campaign_id })));
  return ids.length;
}

async function unassignedContacts(tx: Tx, source: string | null): Promise<string[]> {
  const rows = await tx.sql
    .selectFrom('contacts as c')
    .where('c.deleted_at', 'is', null)
    .$if(source !== null, (q) => q.where('c.source', '=', source))
    .where(
      sql<boolean>`not exists (select from user_contact_assignment a where a.contact_id = c.id and a.released_at is null)`,
    )
    .where(sql<boolean>`not exists (select from assignment_queue q where q.contact_id = c.id and q.left_at is null)`)
    .orderBy('c.created_at')
    .orderBy('c.id')
    .limit(maxBatchSize)
    .select('c.id')
    .execute();
  return rows.map(({ id }) => id);
}

export interface HandOverRequest {
  readonly batch_id: string;
  readonly from_user_id: string;
  /** Null: each contact goes to the pool of its campaign, or waits. */
  readonly to_user_id: string | null;
}

/**
 * Writes down all open contacts of a person, campaign by campaign, oldest first. Without any there is no batch.
 *
 * @returns how many contacts there are; with none nothing is written.
 * @throws Problem 409 when the one who should get them is not active.
 */
export async function createHandOverBatch(tx: Tx, request: HandOverRequest): Promise<number> {
  const { batch_id, from_user_id, to_user_id } = request;
  if (to_user_id !== null) await assertActiveUser(tx, to_user_id);
  const open = await tx.sql
    .selectFrom('user_contact_assignment')
    .where('user_id', '=', from_user_id)
    .where('released_at', 'is', null)
    .orderBy('campaign_id')
    .orderBy('assigned_at')
    .orderBy('id')
    .select(['contact_id', 'campaign_id'])
    .execute();
  if (open.length === 0) return 0;
  const batch = { id: batch_id, kind: 'hand_over', from_user_id, to_user_id, on_conflict: 'skip' } as const;
  await insertBatch(tx, { ...batch, total: open.length });
  await insertItems(tx, batch_id, open);
  return open.length;
}

interface NewBatch {
  readonly id: string;
  readonly kind: 'bulk' | 'hand_over';
  readonly campaign_id?: string;
  readonly from_user_id?: string;
  readonly to_user_id?: string | null;
  readonly on_conflict: 'skip' | 'reassign';
  readonly keep_owner?: boolean;
  readonly total: number;
}

async function insertBatch(tx: Tx, batch: NewBatch): Promise<void> {
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

async function insertItems(
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

/** What of a batch is left after a chunk. */
export interface BatchProgress {
  readonly settled: number;
  readonly is_finished: boolean;
  /** The campaign in whose queue the chunk has put contacts. */
  readonly queued_campaign_id: string | null;
}

/**
 * Deals with the next contacts of a batch. What is done and that it is done stand in the same transaction, so a chunk
 * that runs again goes on behind the last one.
 */
export async function runBatchChunk(tx: Tx, batchId: string): Promise<BatchProgress> {
  const batch = await lockBatch(tx, batchId);
  if (batch.status !== 'running') return { settled: 0, is_finished: true, queued_campaign_id: null };
  const items = await nextItems(tx, batch);
  const campaignId = items[0]?.campaign_id ?? null;
  // One campaign a transaction: two locked campaigns could block somebody who locks them the other way round.
  const chunk = items.filter(({ campaign_id }) => campaign_id === campaignId);
  const ids = chunk.map(({ contact_id }) => contact_id);
  const outcomes = ids.length === 0 ? [] : await dealChunk(tx, batch, campaignId, ids);
  await settle(tx, batchId, outcomes, chunk.at(-1)?.position ?? batch.settled_position);
  const is_finished = chunk.length === items.length && items.length < batchChunkSize;
  if (is_finished) await finishBatch(tx, batchId, 'completed');
  const hasQueued = outcomes.some(({ outcome }) => outcome === 'queued');
  return { settled: chunk.length, is_finished, queued_campaign_id: hasQueued ? campaignId : null };
}

type Batch = Awaited<ReturnType<typeof lockBatch>>;

async function lockBatch(tx: Tx, batchId: string) {
  const batch = await tx.sql
    .selectFrom('assignment_batches')
    .where('id', '=', batchId)
    .selectAll()
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (batch === undefined) throw notFound('assignment batch');
  return batch;
}

/** By place and not by missing outcome: an index on outcomes would make settling an item touch all of its indexes. */
function nextItems(tx: Tx, { id, settled_position }: Batch) {
  return tx.sql
    .selectFrom('assignment_batch_items')
    .where('batch_id', '=', id)
    .where('position', '>', settled_position)
    .orderBy('position')
    .limit(batchChunkSize)
    .select(['contact_id', 'campaign_id', 'position'])
    .execute();
}

function dealChunk(
  tx: Tx,
  { kind, from_user_id, to_user_id, on_conflict, keep_owner }: Batch,
  campaign_id: string | null,
  contactIds: readonly string[],
): Promise<ContactOutcome[]> {
  if (kind === 'hand_over' && from_user_id !== null) {
    return handOverContacts(tx, contactIds, { from_user_id, to_user_id, campaign_id });
  }
  if (campaign_id === null) throw new Error('A bulk batch has a campaign; the table says so.');
  return assignContacts(tx, contactIds, { mode: 'round_robin', campaign_id, keep_owner }, on_conflict);
}

async function settle(tx: Tx, batchId: string, outcomes: readonly ContactOutcome[], position: number): Promise<void> {
  await sql`
    update assignment_batch_items i
    set outcome = d.outcome, detail = d.detail, user_id = d.user_id, settled_at = clock_timestamp()
    from json_to_recordset(${JSON.stringify(outcomes)}::json)
      as d(contact_id uuid, outcome text, detail text, user_id uuid)
    where i.batch_id = ${batchId}::uuid and i.contact_id = d.contact_id
  `.execute(tx.sql);
  await tx.sql.updateTable('assignment_batches').set({ settled_position: position }).where('id', '=', batchId).execute();
}

/** Ends a batch early; what it has done stays. A batch that has ended stays as it ended. */
export async function cancelBatch(tx: Tx, batchId: string): Promise<void> {
  const { status } = await lockBatch(tx, batchId);
  if (status === 'running') await finishBatch(tx, batchId, 'cancelled');
}

/** @throws Problem 404 for an unknown batch, 409 for one that has ended. */
export async function assertBatchRunning(tx: Tx, batchId: string): Promise<void> {
  const { status } = await lockBatch(tx, batchId);
  if (status === 'running') return;
  throw new Problem({ code: 'assignment.batch-finished', detail: `The batch is ${status} already.` });
}

async function finishBatch(tx: Tx, batchId: string, status: 'completed' | 'cancelled'): Promise<void> {
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
