import { setTimeout } from 'node:timers/promises';
import { Client, escapeIdentifier } from 'pg';
import { CountedConnection } from './counted-connection.ts';
import type { ReceiveBounds } from './counted-connection.ts';

/** A PostgreSQL database of another party. */
export interface RemotePostgres {
  /** An address that was checked; the connection is made to no other. */
  readonly address: string;
  /** The name in its certificate. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly tls: 'require' | 'disable';
}

/** One page of a table, in the order of its id column. */
export interface RemoteTablePage {
  readonly schema: string;
  readonly table: string;
  readonly id_column: string;
  readonly page_size: number;
  /** Id of the last row of the page before; null for the first page. */
  readonly after: string | null;
}

/** A row: its id, and itself as the text of JSON; null where that is longer than {@link maxPayloadBytes}. */
interface RemoteRow {
  readonly id: string | null;
  readonly payload: string | null;
}

const connectTimeoutMs = 5_000;
const statementTimeoutMs = 15_000;
const endTimeoutMs = 200;
/** The driver's own default, named because it bounds what a server can have us compute. */
const scramMaxIterations = 100_000;
const maxPayloadBytes = 256 * 1024;
const pageBytes = 8 * 1024 * 1024;
const messageBytes = 1024 * 1024;
/** Messages of sign-in, transaction and query besides the rows. */
const otherMessages = 50;

/** The server answered with rows of another form than it was asked for. */
export class RemoteRowsError extends Error {
  override readonly name = 'RemoteRowsError';
}

/**
 * Reads one page in a read-only transaction. It runs in the process of a guest only: whatever the server sends, the worst
 * that follows is the end of this process.
 *
 * @throws the error of the driver, RemoteTooLargeError, RemoteProtocolError or RemoteRowsError.
 */
export async function readRemotePage(
  at: RemotePostgres,
  { schema, table, id_column, page_size, after }: RemoteTablePage,
): Promise<RemoteRow[]> {
  const id = `t.${escapeIdentifier(id_column)}`;
  // A row that is too large is left out by the server, so that it fails by itself and not the page.
  const text =
    `select r.id, case when octet_length(r.payload) <= ${maxPayloadBytes} then r.payload end from (` +
    `select ${id}::text as id, to_jsonb(t)::text as payload from ${escapeIdentifier(schema)}.${escapeIdentifier(table)} t ` +
    `${after === null ? '' : `where ${id} > $2 `}order by ${id} limit $1) r`;
  return withRemote(at, { totalBytes: pageBytes, messageBytes, messages: page_size + otherMessages }, async (client) => {
    await client.query('begin transaction read only');
    const values = after === null ? [page_size] : [page_size, after];
    // By place: the server chooses the names of columns, too.
    const { rows } = await client.query<unknown[]>({ text, values, rowMode: 'array' });
    await client.query('commit');
    if (!Array.isArray(rows) || rows.length > page_size) throw new RemoteRowsError('There are more rows than were asked for.');
    return rows.map(rowOf);
  });
}

function rowOf(row: unknown): RemoteRow {
  const [id, payload, ...more] = Array.isArray(row) ? (row as unknown[]) : [undefined];
  if (!isText(id) || !isText(payload) || more.length > 0) throw new RemoteRowsError('A row has other columns than were asked for.');
  return { id, payload };
}

function isText(value: unknown): value is string | null {
  return typeof value === 'string' || value === null;
}

async function withRemote<Result>(
  { address, host, port, database, user, password, tls }: RemotePostgres,
  bounds: ReceiveBounds,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  // Both the connection and the client have to know of TLS.
  const ssl = tls === 'require' ? { servername: host } : false;
  const connection = new CountedConnection({ ssl }, bounds);
  const settings = {
    host: address,
    port,
    database,
    user,
    password,
    ssl,
    application_name: 'castellan-sync',
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + 1_000,
    scramMaxIterations,
    // The server chooses the types of columns, and with them the parser that would run on its text.
    types: { getTypeParser: () => (value: string) => value },
    connection,
  };
  const client = new Client(settings);
  // A connection that breaks while idle must not end the process; the next query reports it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    // A server that keeps its end open would hold us here for ever.
    await Promise.race([client.end().catch(() => undefined), setTimeout(endTimeoutMs)]);
    connection.stream.destroy();
  }
}
