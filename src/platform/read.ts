import { createHash } from 'node:crypto';
import type { CompiledQuery, QueryResult } from 'kysely';
import type { Actor } from '../domain/actor.ts';
import type { Database } from './database.ts';

/** A query that Kysely has compiled; `Row` is the type of one result row. */
interface Compilable<Row> {
  compile(): CompiledQuery<Row>;
}

type RowsOf<Queries extends readonly Compilable<unknown>[]> = {
  -readonly [Index in keyof Queries]: Queries[Index] extends Compilable<infer Row> ? Row[] : never;
};

/** Whose rows may be seen: the tenant, and the person for policies that look at rows' owners. */
export type ReadScope = Pick<Actor, 'tenant_id' | 'user_id'>;

const setScope = {
  name: 'castellan_scope',
  text: "select set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true)",
};

const statementNames = new Map<string, string>();

/** A stable name makes PostgreSQL keep the parsed statement on the connection. */
function statementName(sql: string): string {
  let name = statementNames.get(sql);
  if (name === undefined) {
    name = `r_${createHash('sha256').update(sql).digest('base64url').slice(0, 20)}`;
    statementNames.set(sql, name);
  }
  return name;
}


/**
 * The one read path: begin, tenant, queries and commit leave together on a pipelining connection and cost one round
 * trip. Row-level security is in force, the transaction is read only, nothing is hydrated.
 *
 * @returns the rows of each query, in order.
 * @throws the driver's error of the first query that failed.
 */
export async function readAll<const Queries extends readonly Compilable<unknown>[]>(
  db: Pick<Database, 'readPool'>,
  scope: ReadScope,
  queries: Queries,
): Promise<RowsOf<Queries>> {
  return runBatch(db, scope, beginReadOnly, queries);
}

/** {@link readAll} for one query. */
export async function read<Row>(db: Pick<Database, 'readPool'>, scope: ReadScope, query: Compilable<Row>): Promise<Row[]> {
  const [rows] = await readAll(db, scope, [query] as const);
  return rows;
}

/**
 * One technical statement in a transaction of its own and one round trip, for rows that are not business: stored
 * answers, counters of attempts. A change that somebody made goes through `unitOfWork`, which audits it.
 */
export async function writeTechnical<Row>(
  db: Pick<Database, 'readPool'>,
  scope: ReadScope,
  query: Compilable<Row>,
): Promise<Row[]> {
  const [rows] = await runBatch(db, scope, beginReadWrite, [query] as const);
  return rows;
}

const beginReadOnly = { name: 'castellan_begin_read', text: 'begin transaction read only' };
const beginReadWrite = { name: 'castellan_begin_write', text: 'begin' };
const commit = { name: 'castellan_commit', text: 'commit' };

async function runBatch<const Queries extends readonly Compilable<unknown>[]>(
  db: Pick<Database, 'readPool'>,
  scope: ReadScope,
  begin: { name: string; text: string },
  queries: Queries,
): Promise<RowsOf<Queries>> {
  const compiled = queries.map((query) => query.compile());
  const client = await db.readPool.connect();
  let broken: Error | undefined;
  try {
    const sent = [
      client.query(begin),
      client.query({ ...setScope, values: [scope.tenant_id, scope.user_id ?? ''] }),
      ...compiled.map(({ sql, parameters }) =>
        client.query({ name: statementName(sql), text: sql, values: [...parameters] }),
      ),
      client.query(commit),
    ];
    const settled = await Promise.allSettled(sent as Promise<QueryResult<unknown>>[]);
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      broken = failed.reason as Error;
      throw broken;
    }
    const results = settled.slice(2, -1) as PromiseFulfilledResult<QueryResult<unknown>>[];
    return results.map((result) => result.value.rows) as RowsOf<Queries>;
  } finally {
    // A connection whose batch failed could sit in an aborted transaction: it is closed, not reused.
    client.release(broken);
  }
}
