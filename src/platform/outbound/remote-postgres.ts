import { Client, escapeIdentifier } from 'pg';
import type { OutboundHttp } from './outbound-http.ts';

/** A PostgreSQL database of another party. */
interface RemotePostgres {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly tls: 'require' | 'disable';
}

/** One page of a table, in the order of its id column. */
interface RemoteTablePage {
  readonly schema: string;
  readonly table: string;
  readonly id_column: string;
  readonly page_size: number;
  /** Id of the last row of the page before; null for the first page. */
  readonly after: string | null;
}

/** A row as JSON, with its id as text. */
interface RemoteRow {
  readonly id: string | null;
  readonly payload: unknown;
}

/** Connecting without TLS is permitted only to hosts that the operator has allowed. */
export class PlainConnectionError extends Error {
  override readonly name = 'PlainConnectionError';
}

const connectTimeoutMs = 5_000;
const statementTimeoutMs = 15_000;

/** Checks that host, user and password are accepted. Throws the error of the driver or of the outbound client. */
export async function probeRemotePostgres(outbound: Pick<OutboundHttp, 'addressesOf'>, at: RemotePostgres): Promise<void> {
  await withRemote(outbound, at, (client) => client.query('select 1'));
}

/** Reads one page in a read-only transaction. Throws like {@link probeRemotePostgres}. */
export async function readRemotePage(
  outbound: Pick<OutboundHttp, 'addressesOf'>,
  at: RemotePostgres,
  { schema, table, id_column, page_size, after }: RemoteTablePage,
): Promise<RemoteRow[]> {
  const id = `t.${escapeIdentifier(id_column)}`;
  const text =
    `select ${id}::text as id, to_jsonb(t) as payload from ${escapeIdentifier(schema)}.${escapeIdentifier(table)} t ` +
    `${after === null ? '' : `where ${id} > $2 `}order by ${id} limit $1`;
  return withRemote(outbound, at, async (client) => {
    await client.query('begin transaction read only');
    const { rows } = await client.query<RemoteRow>(text, after === null ? [page_size] : [page_size, after]);
    await client.query('commit');
    return rows;
  });
}

async function withRemote<Result>(
  outbound: Pick<OutboundHttp, 'addressesOf'>,
  { host, port, database, user, password, tls }: RemotePostgres,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const { addresses, isExempt } = await outbound.addressesOf(host, port);
  if (tls === 'disable' && !isExempt) throw new PlainConnectionError('Connections over the Internet need TLS.');
  const client = new Client({
    // The address that was checked; the name is used for the certificate.
    host: addresses[0]?.address ?? host,
    port,
    database,
    user,
    password,
    ssl: tls === 'require' ? { servername: host } : false,
    application_name: 'castellan-sync',
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + 1_000,
  });
  // A connection that breaks while idle must not end the process; the next query reports it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
