import { CompiledQuery, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { DatabaseConnection, Dialect, Driver, QueryResult } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { statementName } from './statement-name.ts';

const unawaited = new WeakSet<CompiledQuery>();

/**
 * Marks a statement whose result nobody looks at: it is sent, but not waited for. Its error comes out of the next
 * statement that is waited for, at the latest of the commit.
 */
export function unawaitedQuery<Row>(query: CompiledQuery<Row>): CompiledQuery<Row> {
  unawaited.add(query);
  return query;
}

/**
 * Lets everything that is sent on the connection in this turn of the event loop leave in one system call; the driver
 * alone makes one for each query, and each costs as much as a small query.
 */
export function holdWrites({ connection: { stream } }: PoolClient): void {
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

/**
 * Kysely on pipelining connections (`pipeline: true`). `begin` is not waited for, and neither is what is marked by
 * {@link unawaitedQuery}: a unit of work so costs a round trip for each statement whose result it needs, and one for
 * its end.
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
    // The pool connects by itself.
  }

  async acquireConnection(): Promise<PipelinedConnection> {
    return new PipelinedConnection(await this.#pool.connect());
  }

  async beginTransaction(connection: PipelinedConnection): Promise<void> {
    connection.sendUnawaited(CompiledQuery.raw('begin'));
  }

  async commitTransaction(connection: PipelinedConnection): Promise<void> {
    await connection.commit();
  }

  async rollbackTransaction(connection: PipelinedConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'));
  }

  async releaseConnection(connection: PipelinedConnection): Promise<void> {
    connection.release();
  }

  async destroy(): Promise<void> {
    await this.#pool.end();
  }
}

/** A prepared statement whose table has changed since; the connection has to be left (feature_not_supported). */
const stalePlan = '0A000';

class PipelinedConnection implements DatabaseConnection {
  readonly #client: PoolClient;
  #unawaited: Promise<unknown>[] = [];
  #isStale = false;

  constructor(client: PoolClient) {
    this.#client = client;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    if (unawaited.has(query)) {
      this.sendUnawaited(query);
      return { rows: [] };
    }
    try {
      const { command, rowCount, rows } = await this.#send(query);
      return command === 'SELECT' || rowCount === null
        ? { rows: rows as Row[] }
        : { rows: rows as Row[], numAffectedRows: BigInt(rowCount) };
    } catch (error) {
      // What failed before is the cause of "current transaction is aborted".
      const earlier = (await Promise.allSettled(this.#unawaited)).find(({ status }) => status === 'rejected');
      throw earlier === undefined ? error : (earlier as PromiseRejectedResult).reason;
    }
  }

  sendUnawaited(query: CompiledQuery): void {
    const sent = this.#send(query);
    sent.catch(() => undefined);
    this.#unawaited.push(sent);
  }

  /** @throws the error of the first statement that was not waited for and failed: PostgreSQL has rolled back then. */
  async commit(): Promise<void> {
    this.sendUnawaited(CompiledQuery.raw('commit'));
    const settled = await Promise.allSettled(this.#unawaited.splice(0));
    const failed = settled.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  release(): void {
    this.#client.release(this.#isStale);
  }

  // eslint-disable-next-line require-yield -- the interface asks for a generator
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('Rows are not streamed in a unit of work; read them in pages.');
  }

  async #send({ sql, parameters }: CompiledQuery) {
    holdWrites(this.#client);
    try {
      return await this.#client.query({ name: statementName(sql), text: sql, values: [...parameters] });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === stalePlan) this.#isStale = true;
      throw error;
    }
  }
}
