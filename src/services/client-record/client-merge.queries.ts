import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { undoDays } from '../../domain/client-record/client-merge.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { newestFirst, newestPage } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';

/** Which merges a list holds; what is undefined does not narrow it. */
export interface ClientMergeFilter {
  /** Either of the two. */
  readonly client_id?: string | undefined;
  readonly undoable?: boolean | undefined;
}

/** In time, not undone, and both are still there to be told apart. */
const isUndoable: RawBuilder<boolean> = sql<boolean>`
  (m.undone_at is null and m.undo_until > now() and c.erased_at is null and o.erased_at is null)`;

/** Merges as they are shown, with the names of who and what they are about; never with the values that they replaced. */
function clientMergesQuery() {
  return kysely
    .selectFrom('client_merges as m')
    .innerJoin('clients as c', 'c.id', 'm.client_id')
    .innerJoin('clients as o', 'o.id', 'm.merged_id')
    .leftJoin('users as u', 'u.id', 'm.merged_by')
    .leftJoin('users as w', 'w.id', 'm.undone_by')
    .select(['m.id', 'm.client_id', 'c.name as client_name', 'm.merged_id', 'o.name as merged_name', 'm.taken_fields', 'm.moved'])
    .select(['m.merged_by', 'u.full_name as merged_by_name', 'm.created_at', 'm.undo_until', isUndoable.as('is_undoable')])
    .select(['m.undone_at', 'm.undone_by', 'w.full_name as undone_by_name', 'm.version']);
}

/** A page of merges, newest first. @throws Problem `request.cursor-invalid`. */
export async function listClientMerges(db: ReadSource, scope: ReadScope, { client_id, undoable, ...page }: ClientMergeFilter & Page) {
  let list = clientMergesQuery().$call(newestFirst(page, { time: 'm.created_at', id: 'm.id' }));
  if (client_id !== undefined) list = list.where((eb) => eb.or([eb('m.client_id', '=', client_id), eb('m.merged_id', '=', client_id)]));
  if (undoable !== undefined) list = list.where(isUndoable, '=', undoable);
  // Follows from it, and ends the walk through the list: all older ones are too late.
  if (undoable === true) list = list.where(sql<boolean>`m.created_at > now() - ${sql.lit(`${undoDays} days`)}::interval`);
  return newestPage(await read(db, scope, list), page.limit);
}

/** One merge as it is shown. @throws Problem 404. */
export async function loadClientMerge(db: ReadSource, scope: ReadScope, id: string) {
  const [merge] = await read(db, scope, clientMergesQuery().where('m.id', '=', id));
  if (merge === undefined) throw notFound('merge');
  return merge;
}
