import { CompiledQuery, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { DatabaseConnection, Dialect, Driver, QueryResult } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { CommitUnknownError, RolledBackError, leavesOutcomeOpen, outcomeOf } from './commit-outcome.ts';
import { writingScopeText } from './read.ts';
import { runBatch } from './statement-batch.ts';
import type { StatementResult } from './statement-batch.ts';
import { statementName } from './statement-name.ts';

const deferred = new WeakSet<CompiledQuery>();

/**
 * Marks a statement whose result is not used: it is sent with the next one that is awaited, at the latest with the commit,
 * and its error rejects that one.
 */
export function deferredQuery<Row>(query: CompiledQuery<Row>): CompiledQuery<Row> {
  deferred.add(query);
  return query;
}

/**
 * Kysely over {@link runBatch}. Neither `begin` nor statements marked by {@link deferredQuery} are awaited: a unit
 * of work costs one round trip for each statement whose result it needs, and one for its end.
 */
export function pipelinedDialect(pool: Pool): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new PipelinedDriver(pool),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

class PipelinedDriver implements Driver {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async init(): Promise<void> {
    // The pool connects on demand.
  }

  async acquireConnection(): Promise<PipelinedConnection> {
    return new PipelinedConnection(await this.#pool.connect(), this.#pool);
  }

  async beginTransaction(connection: PipelinedConnection): Promise<void> {
    connection.begin();
  }

  async commitTransaction(connection: PipelinedConnection): Promise<void> {
    await connection.commit();
  }

  async rollbackTransaction(connection: PipelinedConnection): Promise<void> {
    await connection.rollback();
  }

  async releaseConnection(connection: PipelinedConnection): Promise<void> {
    connection.release();
  }

  async destroy(): Promise<void> {
    await this.#pool.end();
  }
}

/** A prepared statement whose table has changed since; the connection has to be discarded (feature_not_supported). */
const stalePlan = '0A000';

class PipelinedConnection implements DatabaseConnection {
  readonly #client: PoolClient;
  readonly #pool: Pool;
  /** The id of the open transaction; null where it is no unit of work. */
  #xid: string | null = null;
  /** Statements that are sent with the next one that is awaited. */
  #waiting: CompiledQuery[] = [];
  #isUnusable = false;

  constructor(client: PoolClient, pool: Pool) {
    this.#client = client;
    this.#pool = pool;
  }

  begin(): void {
    this.#xid = null;
    this.put(CompiledQuery.raw('begin'));
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    this.put(query);
    if (deferred.has(query)) return { rows: [] };
    const { command, rowCount, rows } = await this.#send();
    return command === 'SELECT' ? { rows: rows as Row[] } : { rows: rows as Row[], numAffectedRows: BigInt(rowCount) };
  }

  /** Queues a statement in front of the next one that is awaited. */
  put(query: CompiledQuery): void {
    this.#waiting.push(query);
  }

  /**
   * Where the answer is lost, PostgreSQL is asked for the outcome on another connection.
   *
   * @throws the error of a statement that was still queued; PostgreSQL has then rolled back.
   * @throws RolledBackError when the answer is lost and nothing was kept, CommitUnknownError when that cannot be found out.
   */
  async commit(): Promise<void> {
    this.put(CompiledQuery.raw('commit'));
    let result: StatementResult;
    try {
      result = await this.#send();
    } catch (error) {
      if (!leavesOutcomeOpen(error)) throw error;
      this.#isUnusable = true;
      const outcome = await outcomeOf(this.#pool, this.#xid);
      if (outcome === 'committed') return;
      throw outcome === 'aborted' ? new RolledBackError(error) : new CommitUnknownError(error);
    }
    if (result.command !== 'COMMIT') throw new Error('A statement of the transaction had failed before: nothing was kept.');
  }

  async rollback(): Promise<void> {
    this.#waiting = [CompiledQuery.raw('rollback')];
    await this.#send().catch(() => {
      // A connection that cannot roll back is closed; otherwise it would never return to the pool.
      this.#isUnusable = true;
    });
  }

  release(): void {
    this.#client.release(this.#isUnusable);
  }

  // eslint-disable-next-line require-yield -- the interface requires a generator
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('Rows are not streamed in a unit of work; read them in pages.');
  }

  /** Sends what is queued. @returns the result of the last statement. */
  async #send(): Promise<StatementResult> {
    const xidAt = this.#waiting.findIndex(({ sql }) => sql === writingScopeText);
    const statements = this.#waiting.map(({ sql, parameters }) => ({ name: statementName(sql), text: sql, values: parameters }));
    this.#waiting = [];
    try {
      const results = await runBatch(this.#client, statements);
      if (xidAt >= 0) this.#xid = (results[xidAt]?.rows[0] as { xid: string } | undefined)?.xid ?? null;
      return results.at(-1) ?? noResult;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === stalePlan) this.#isUnusable = true;
      throw error;
    }
  }
}

const noResult: StatementResult = { command: '', rowCount: 0, rows: [] };
