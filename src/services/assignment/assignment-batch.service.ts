import { sql } from 'kysely';
import type { ContactOutcome } from '../../domain/assignment/assignment.ts';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { openAssignments } from './assignment-access.service.ts';
import { putBatchStart } from './assignment-batch.client.ts';
import {
  batchExists,
  finishBatch,
  insertBatch,
  insertBatchItems,
  lockBatch,
  nextBatchItems,
  saveBatchOutcomes,
} from './assignment-batch.repository.ts';
import type { LockedBatch } from './assignment-batch.repository.ts';
import { lockCampaign } from './campaign/campaign.repository.ts';
import { assertActiveUser, isActiveUser } from './campaign/campaign-pool.service.ts';
import { assignContacts } from './contact-assignment.service.ts';
import { reassignContacts } from './reassign.service.ts';

/** At most this many contacts a batch. */
const maxBatchSize = 10_000;
/** Contacts a transaction: few commits for many contacts, and the campaign's lock is held well below a second. */
const batchChunkSize = 1_000;

/** A batch of contacts that the rule is to assign to the pool of a campaign. */
export interface BulkRequest {
  readonly batch_id: string;
  readonly campaign_id: string;
  /** Null: all contacts without an owner that wait in no queue, oldest first. */
  readonly contact_ids: readonly string[] | null;
  /** Only those from this source, where no ids are given. */
  readonly source: string | null;
  readonly on_conflict: 'skip' | 'reassign';
  readonly keep_owner: boolean;
}

/**
 * Stores a batch of contacts that the rule is to assign; its workflow works through it.
 *
 * @returns how many contacts there are.
 * @throws Problem 404 when there is no such campaign.
 */
export async function createBulkBatch(tx: Tx, request: BulkRequest): Promise<number> {
  const { batch_id, campaign_id, contact_ids, source, on_conflict, keep_owner } = request;
  await lockCampaign(tx, campaign_id);
  const ids = contact_ids ?? (await unassignedContacts(tx, source));
  // Who deals by a campaign permission only leaves what belongs to others alone, also what they get while the batch runs.
  const takes_from_others = tx.actor.permissions.includes('assignment:manage');
  await insertBatch(tx, { id: batch_id, kind: 'bulk', campaign_id, on_conflict, keep_owner, takes_from_others, total: ids.length });
  await insertBatchItems(tx, batch_id, ids.map((contact_id) => ({ contact_id, campaign_id })));
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

/** A batch of all contacts of a person that are to be reassigned. */
interface ReassignRequest {
  readonly batch_id: string;
  readonly from_user_id: string;
  /** Null: each contact goes to the pool of its campaign, or waits. */
  readonly to_user_id: string | null;
}

/**
 * Stores a batch of all open contacts of a person, campaign by campaign, oldest first.
 *
 * @returns how many contacts there are; with none nothing is stored.
 * @throws Problem `request.invalid` when there is no such person who should get them, 409 when that person is not active.
 */
export async function createReassignBatch(tx: Tx, request: ReassignRequest): Promise<number> {
  const { batch_id, from_user_id, to_user_id } = request;
  if (to_user_id !== null) await assertActiveUser(tx, to_user_id, '/to_user_id');
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
  await insertBatchItems(tx, batch_id, open);
  return open.length;
}

/** Whose contacts go where, by a batch whose id names the deactivation. */
interface Handover {
  readonly batch_id: string;
  readonly from_user_id: string;
  /** Who should get them; null, and somebody who is not active any more: the pools of their campaigns. */
  readonly to_user_id: string | null;
}

/**
 * Has the contacts of a user who was deactivated reassigned, unless the user has been activated again since. Repeated with the
 * same batch, it changes nothing.
 *
 * @returns whether there were any.
 */
export async function reassignFromDeactivated(
  deps: Pick<ProcessDeps, 'db'>,
  actor: Actor,
  { batch_id, from_user_id, to_user_id }: Handover,
): Promise<boolean> {
  return unitOfWork(deps.db, actor, async (tx) => {
    await openAssignments(tx);
    if ((await batchExists(tx, batch_id)) || (await isActiveUser(tx, from_user_id))) return false;
    const heir = to_user_id !== null && (await isActiveUser(tx, to_user_id)) ? to_user_id : null;
    const total = await createReassignBatch(tx, { batch_id, from_user_id, to_user_id: heir });
    if (total === 0) return false;
    putBatchStart(tx, { actor: actorRef(tx.actor), batch_id, kind: 'hand_over', total, settled: 0 }, 0);
    return true;
  });
}

/** What a chunk has done, and whether its batch is finished. */
interface BatchProgress {
  readonly settled: number;
  readonly is_finished: boolean;
  /** The campaign in whose queue the chunk has put contacts. */
  readonly queued_campaign_id: string | null;
}

/**
 * Assigns the next contacts of a batch. The assignments and the position up to which the batch is done are saved in the
 * same transaction, so a chunk that runs again continues behind the last one.
 */
export async function runBatchChunk(tx: Tx, batchId: string): Promise<BatchProgress> {
  const batch = await lockBatch(tx, batchId);
  if (batch.status !== 'running') return { settled: 0, is_finished: true, queued_campaign_id: null };
  const items = await nextBatchItems(tx, batch, batchChunkSize);
  const campaignId = items[0]?.campaign_id ?? null;
  // One campaign a transaction: two locked campaigns could deadlock with somebody who locks them in the other order.
  const chunk = items.filter(({ campaign_id }) => campaign_id === campaignId);
  const ids = chunk.map(({ contact_id }) => contact_id);
  const outcomes = ids.length === 0 ? [] : await assignChunk(tx, batch, campaignId, ids);
  await saveBatchOutcomes(tx, batchId, outcomes, chunk.at(-1)?.position ?? batch.settled_position);
  const is_finished = chunk.length === items.length && items.length < batchChunkSize;
  if (is_finished) await finishBatch(tx, batchId, 'completed');
  const hasQueued = outcomes.some(({ outcome }) => outcome === 'queued');
  return { settled: chunk.length, is_finished, queued_campaign_id: hasQueued ? campaignId : null };
}

function assignChunk(
  tx: Tx,
  { kind, from_user_id, to_user_id, on_conflict, keep_owner, takes_from_others }: LockedBatch,
  campaign_id: string | null,
  contactIds: readonly string[],
): Promise<ContactOutcome[]> {
  if (kind === 'hand_over' && from_user_id !== null) {
    return reassignContacts(tx, contactIds, { from_user_id, to_user_id, campaign_id });
  }
  if (campaign_id === null) throw new Error('A bulk batch has a campaign; the table says so.');
  return assignContacts(tx, contactIds, { mode: 'round_robin', campaign_id, keep_owner, takes_from_others }, on_conflict);
}

/**
 * Ends a batch; what it has done stays. A batch that has ended stays as it ended.
 *
 * @returns its state before.
 * @throws Problem 404.
 */
export async function cancelBatch(tx: Tx, batchId: string): Promise<LockedBatch['status']> {
  const { status } = await lockBatch(tx, batchId);
  if (status === 'running') await finishBatch(tx, batchId, 'cancelled');
  return status;
}

/**
 * Ends a running batch early, after the chunk that is running: this waits for its transaction, and the next one finds that the
 * batch has ended, whenever the workflow is told.
 *
 * @throws Problem 404 for an unknown batch, 409 for one that has ended.
 */
export async function endBatchEarly(tx: Tx, batchId: string): Promise<void> {
  const before = await cancelBatch(tx, batchId);
  if (before === 'running') return;
  throw new Problem({ code: 'assignment.batch-finished', detail: `The batch is ${before} already.` });
}
