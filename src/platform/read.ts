import type { CompiledQuery, QueryResult } from 'kysely';
import type { Actor } from '../domain/actor.ts';
import type { Database } from './database.ts';
import { holdWrites } from './pipelined-dialect.ts';
import { statementName } from './statement-name.ts';

/** A query that Kysely has compiled; `Row` is the type of one result row. */
interface Compilable<Row> {
  compile(): CompiledQuery<Row>;
}

type RowsOf<Queries extends readonly Compilable<unknown>[]> = {
  -readonly [Index in keyof Queries]: Queries[Index] extends Compilable<infer Row> ? Row[] : never;
};

/** Whose rows may be seen: the tenant, and the person for policies that look at rows' owners. */
export type ReadScope = Pick<Actor, 'tenant_id' | 'user_id'>;

/** The session of a transaction: what row-level security compares with. */
export function scopeStatement({ tenant_id, user_id }: ReadScope) {
  return {
    name: 'castellan_scope',
    text: "select set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true)",
    values: [tenant_id, user_id ?? ''],
  };
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

/** One part of an {@link readApart} answer: its rows, or the driver's error. */
export type ApartResult<Row> = { readonly rows: Row[] } | { readonly error: unknown };

const setPatience = { name: 'castellan_patience', text: "select set_config('statement_timeout', $1, true)" };
const savepoint = { name: 'castellan_savepoint', text: 'savepoint part' };
const backToSavepoint = { name: 'castellan_back', text: 'rollback to savepoint part' };

/**
 * Reads parts that must not take each other down, still in one round trip. After each query goes the way back to one
 * savepoint, which is harmless after a read that worked and undoes the abort of one that did not.
 *
 * @param timeoutMs bound of each query.
 * @returns for each query its rows or its error; only a lost connection rejects.
 */
export async function readApart<Row>(
  db: Pick<Database, 'readPool'>,
  scope: ReadScope,
  queries: readonly Compilable<Row>[],
  timeoutMs: number,
): Promise<ApartResult<Row>[]> {
  const compiled = queries.map((query) => query.compile());
  const client = await db.readPool.connect();
  let broken: Error | undefined;
  try {
    holdWrites(client);
    const frame = [
      client.query(beginReadOnly),
      client.query(scopeStatement(scope)),
      client.query({ ...setPatience, values: [String(timeoutMs)] }),
    ];
    const parts: Promise<QueryResult<Row & object>>[] = [];
    frame.push(client.query(savepoint));
    for (const { sql, parameters } of compiled) {
      parts.push(client.query({ name: statementName(sql), text: sql, values: [...parameters] }));
      frame.push(client.query(backToSavepoint));
    }
    frame.push(client.query(commit));
    const [settledParts, settledFrame] = await Promise.all([Promise.allSettled(parts), Promise.allSettled(frame)]);
    const failed = settledFrame.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      broken = failed.reason as Error;
      throw broken;
    }
    return settledParts.map((part) => (part.status === 'fulfilled' ? { rows: part.value.rows } : { error: part.reason as unknown }));
  } finally {
    client.release(broken);
  }
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
    holdWrites(client);
    const sent = [
      client.query(begin),
      client.query(scopeStatement(scope)),
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
