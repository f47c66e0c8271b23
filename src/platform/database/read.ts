import { CompiledQuery } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import type { Pool } from 'pg';
import { CommitUnknownError, leavesOutcomeOpen } from './commit-outcome.ts';
import { runBatch } from './statement-batch.ts';
import type { Statement } from './statement-batch.ts';
import { statementName } from './statement-name.ts';

/** A query that Kysely has compiled; `Row` is the type of one result row. */
interface Compilable<Row> {
  compile(): CompiledQuery<Row>;
}

type RowsOf<Queries extends readonly Compilable<unknown>[]> = {
  -readonly [Index in keyof Queries]: Queries[Index] extends Compilable<infer Row> ? Row[] : never;
};

/** The pipelining connections of a process. */
export interface ReadConnections {
  readonly readPool: Pool;
}

/** An open transaction, in which reads see what it has written. */
export interface OpenTransaction {
  readonly actor: ReadScope;
  /** Runs queries inside the transaction, after everything that it has changed so far. */
  readInside(queries: readonly CompiledQuery[]): Promise<object[][]>;
}

/** Where reads go: a connection of their own, or the transaction whose changes they have to see. */
export type ReadSource = ReadConnections | OpenTransaction;

/** What a read needs of the parts of a process; `{ db: tx }` reads inside a transaction. */
export interface ReadDeps {
  readonly db: ReadSource;
}

/** Whose rows are visible: the tenant, and the person for policies on the owner of a row. */
export type ReadScope = Pick<Actor, 'tenant_id' | 'user_id'>;

/** The session settings of a transaction that row-level security compares with. */
function scopeStatement({ tenant_id, user_id }: ReadScope): Statement {
  return {
    name: 'castellan_scope',
    text: "select set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true)",
    values: [tenant_id, user_id ?? ''],
  };
}

/**
 * {@link scopeStatement} of a unit of work. Its transaction gets an id at once (`xid`), by which PostgreSQL can be asked about
 * it when its commit is not answered.
 */
export function writingScope({ tenant_id, user_id }: ReadScope): CompiledQuery {
  return CompiledQuery.raw(writingScopeText, [tenant_id, user_id ?? '']);
}

/** The text of {@link writingScope}, by which a connection recognises it. */
export const writingScopeText =
  "select set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true), pg_current_xact_id()::text as xid";

/** {@link scopeStatement} of a read-only transaction. */
function readOnlyScope({ tenant_id, user_id }: ReadScope): Statement {
  return {
    name: 'castellan_scope_read',
    text:
      "select set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true), " +
      "set_config('transaction_read_only', 'on', true)",
    values: [tenant_id, user_id ?? ''],
  };
}

/**
 * The one read path: the session settings and the queries are sent together as one transaction, for one round trip. Row-level
 * security is in force, the transaction is read only, nothing is hydrated. From an open transaction the queries are run
 * inside it.
 *
 * @returns the rows of each query, in order.
 * @throws the driver's error of the first query that failed.
 */
export async function readAll<const Queries extends readonly Compilable<unknown>[]>(
  db: ReadSource,
  scope: ReadScope,
  queries: Queries,
): Promise<RowsOf<Queries>> {
  if ('readInside' in db) {
    if (db.actor.tenant_id !== scope.tenant_id) throw new Error('A transaction reads its own tenant only.');
    return (await db.readInside(queries.map((query) => query.compile()))) as RowsOf<Queries>;
  }
  return runScoped(db, readOnlyScope(scope), queries);
}

/** {@link readAll} for one query. */
export async function read<Row>(db: ReadSource, scope: ReadScope, query: Compilable<Row>): Promise<Row[]> {
  const [rows] = await readAll(db, scope, [query] as const);
  return rows;
}

/**
 * One infrastructure statement in a transaction of its own and one round trip, for rows that are no business data: stored
 * answers, counters of attempts. A change by a person goes through `unitOfWork`, which audits it.
 *
 * @param settings statements before it, in the same transaction.
 * @throws CommitUnknownError when the connection is lost before the answer.
 */
export async function writeInfrastructure<Row>(
  db: ReadConnections,
  scope: ReadScope,
  query: Compilable<Row>,
  settings: readonly Compilable<unknown>[] = [],
): Promise<Row[]> {
  try {
    const results = await runScoped(db, scopeStatement(scope), [...settings, query]);
    return results.at(-1) as Row[];
  } catch (error) {
    throw leavesOutcomeOpen(error) ? new CommitUnknownError(error) : error;
  }
}

/** One part of an {@link readIsolated} answer: its rows, or the driver's error. */
export type IsolatedResult<Row> = { readonly rows: Row[] } | { readonly error: unknown };

const setStatementTimeout = { name: 'castellan_statement_timeout', text: "select set_config('statement_timeout', $1, true)" };
const begin = { name: 'castellan_begin', text: 'begin' };
const savepoint = { name: 'castellan_savepoint', text: 'savepoint part' };
const backToSavepoint = { name: 'castellan_back', text: 'rollback to savepoint part' };
const commit = { name: 'castellan_commit', text: 'commit' };

/**
 * Reads parts that must fail independently, still in one round trip: each is a batch of its own, all are sent at once.
 * Each is followed by a rollback to one savepoint, which has no effect after a successful read and ends the aborted state
 * after a failed one.
 *
 * @param timeoutMs bound of each query.
 * @returns for each query its rows or its error; only a lost connection rejects.
 */
export async function readIsolated<Row>(
  db: ReadConnections,
  scope: ReadScope,
  queries: readonly Compilable<Row>[],
  timeoutMs: number,
): Promise<IsolatedResult<Row>[]> {
  const statements = queries.map(statementOf);
  const client = await db.readPool.connect();
  let broken: Error | undefined;
  try {
    const timeout = { ...setStatementTimeout, values: [String(timeoutMs)] };
    const frame = [runBatch(client, [begin, readOnlyScope(scope), timeout, savepoint])];
    const parts = statements.map((statement) => {
      const part = runBatch(client, [statement]);
      frame.push(runBatch(client, [backToSavepoint]));
      return part;
    });
    frame.push(runBatch(client, [commit]));
    const [settledParts, settledFrame] = await Promise.all([Promise.allSettled(parts), Promise.allSettled(frame)]);
    const failed = settledFrame.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      broken = failed.reason as Error;
      throw broken;
    }
    return settledParts.map((part) =>
      part.status === 'fulfilled' ? { rows: (part.value[0]?.rows ?? []) as Row[] } : { error: part.reason as unknown },
    );
  } finally {
    client.release(broken);
  }
}

async function runScoped<const Queries extends readonly Compilable<unknown>[]>(
  db: ReadConnections,
  scope: Statement,
  queries: Queries,
): Promise<RowsOf<Queries>> {
  const statements = [scope, ...queries.map(statementOf)];
  const client = await db.readPool.connect();
  let broken: Error | undefined;
  try {
    const [, ...results] = await runBatch(client, statements);
    return results.map(({ rows }) => rows) as RowsOf<Queries>;
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    // A connection whose batch failed may hold statements of a table that has changed: it is closed, not reused.
    client.release(broken);
  }
}

function statementOf(query: Compilable<unknown>): Statement {
  const { sql, parameters } = query.compile();
  return { name: statementName(sql), text: sql, values: parameters };
}
