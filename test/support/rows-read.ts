import type { Answer } from './api.ts';
import { eventually } from './eventually.ts';
import { asSuperuser } from './superuser.ts';
import type { HasDatabase } from './superuser.ts';

/** Rows of tables, and entries of their indexes, that were read so far, by whatever plan: one that only walks an index is seen too. */
const rowsAndEntries = `(select sum(coalesce(seq_tup_read, 0)) from pg_stat_user_tables where relname = any($1::text[]))
  + (select sum(coalesce(idx_tup_read, 0)) from pg_stat_user_indexes where relname = any($1::text[]))`;

/** Rows of tables that were read so far; what only an index was read for is none. */
const heapRows = '(select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) from pg_stat_user_tables where relname = any($1::text[]))';

async function counted(app: HasDatabase, tables: readonly string[], what: string): Promise<number> {
  await endConnections(app);
  const [row] = await asSuperuser<{ fetched: string }>(app, `select ${what} as fetched`, [tables]);
  return Number(row?.fetched);
}

/** A backend tells what it has counted some seconds later, or when it ends: then before it leaves the list of activity. */
async function endConnections(app: HasDatabase): Promise<void> {
  const others = "datname = current_database() and usename <> current_user and backend_type = 'client backend'";
  const ended = await asSuperuser<{ pid: number }>(app, `select pid, pg_terminate_backend(pid) from pg_stat_activity where ${others}`);
  const pids = ended.map(({ pid }) => pid);
  const left = () => asSuperuser(app, 'select pid from pg_stat_activity where pid = any($1::int[])', [pids]);
  await eventually(left, (rows) => rows.length === 0);
}

/**
 * How many rows and index entries PostgreSQL reads for a request, as it counts them itself: what a plan costs, whatever the machine.
 *
 * @param tables nothing else may read from them meanwhile.
 * @throws when the request is not answered by 200.
 */
export function rowsRead(app: HasDatabase, tables: readonly string[], request: () => Promise<Answer>): Promise<number> {
  return countedFor(app, tables, request, rowsAndEntries);
}

/** {@link rowsRead} without the index entries: where a plan is to do with an index alone, this is zero. */
export function heapRowsRead(app: HasDatabase, tables: readonly string[], request: () => Promise<Answer>): Promise<number> {
  return countedFor(app, tables, request, heapRows);
}

async function countedFor(app: HasDatabase, tables: readonly string[], request: () => Promise<Answer>, what: string): Promise<number> {
  const before = await counted(app, tables, what);
  // The process notices a moment later that its connections have ended; what it refuses until then reads nothing.
  await eventually(request, ({ status }) => status === 200);
  return (await counted(app, tables, what)) - before;
}
