import { sql } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { newestFirst, numberPosition, parseCursor } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadDeps } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import { visibleBatches } from './visible-rows.queries.ts';

/** Batches with the number of their contacts by outcome; `b` is the row. */
function batchesQuery() {
  return kysely
    .selectFrom('assignment_batches as b')
    .select(['b.id', 'b.kind', 'b.campaign_id', 'b.from_user_id', 'b.to_user_id', 'b.on_conflict', 'b.keep_owner'])
    .select(['b.status', 'b.total', 'b.requested_by', 'b.created_at', 'b.finished_at'])
    .select(
      sql<Record<'open' | 'assigned' | 'queued' | 'skipped' | 'conflict', number>>`(
        select jsonb_build_object(
          'open', count(*) filter (where i.outcome is null), 'assigned', count(*) filter (where i.outcome = 'assigned'),
          'queued', count(*) filter (where i.outcome = 'queued'), 'skipped', count(*) filter (where i.outcome = 'skipped'),
          'conflict', count(*) filter (where i.outcome = 'conflict'))
        from assignment_batch_items i where i.batch_id = b.id)`.as('counts'),
    );
}

/** A page of the batches that the actor may see, newest first. */
export function batchList(actor: Actor, page: Page) {
  return batchesQuery()
    .where(visibleBatches(actor))
    .$call(newestFirst(page, { time: 'b.created_at', id: 'b.id' }));
}

/** Reads one batch. @throws Problem 404. */
export async function loadBatch({ db }: ReadDeps, actor: Actor, batchId: string) {
  const [batch] = await read(db, actor, batchesQuery().where('b.id', '=', batchId));
  if (batch === undefined) throw notFound('assignment batch');
  return batch;
}

/** The contacts of a batch in order: one row more than the page. */
export function batchItemList(batchId: string, { limit, cursor }: Page) {
  const after = parseCursor(cursor, numberPosition);
  return kysely
    .selectFrom('assignment_batch_items')
    .where('batch_id', '=', batchId)
    .$if(after !== null, (q) => q.where(sql<boolean>`position > ${after?.[0]}::bigint`))
    .orderBy('position')
    .limit(limit + 1)
    .select(['contact_id', 'position', 'campaign_id', 'outcome', 'detail as reason', 'user_id', 'settled_at']);
}
