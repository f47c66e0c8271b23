import { DatabaseError } from 'pg';
import { isJsonObject } from '../../domain/shared/canonical.ts';
import type { JsonObject, JsonValue } from '../../domain/shared/canonical.ts';
import { isTooDeep } from '../../domain/shared/storable-json.ts';
import type { PostgresConfig } from '../../domain/integration/integration.ts';
import { recordLimits, partitionRecords } from '../../domain/integration/integration-records.ts';
import type { RemotePage, RemoteRecord } from '../../domain/integration/integration-records.ts';
import { RemoteProtocolError, RemoteTooLargeError } from '../../platform/outbound/counted-connection.ts';
import { RemoteRowsError, readRemotePage } from '../../platform/outbound/remote-postgres.ts';
import { RemoteError } from './remote-fault.ts';

interface PageOfTable {
  readonly config: PostgresConfig;
  readonly address: string;
  readonly password: string;
  readonly cursor: string | null;
}

/**
 * A page of a table or view of another PostgreSQL, in the order of its id column. Runs in the process of a guest.
 *
 * @throws RemoteError
 */
export async function readPostgresPage({ config, address, password, cursor }: PageOfTable): Promise<RemotePage> {
  const { host, port, database, user, tls, ...from } = config;
  const at = { address, host, port, database, user, password, tls };
  const rows = await attempt(() => readRemotePage(at, { ...from, after: cursor }));
  const last = rows.length < from.page_size ? null : (rows.at(-1)?.id ?? null);
  if (last !== null && last.length > recordLimits.cursorLength) {
    throw new RemoteError('unexpected', 'An id is too long to go on from.');
  }
  // The id is that of the id column, even if the row has another member of this name.
  const items = rows.map(({ id, payload }) => ({ id, payload: payload === null ? null : parsed(payload) }));
  const { records, failures } = partitionRecords(items, '/id');
  const page = { records: [] as RemoteRecord[], failures: [...failures], next_cursor: last };
  for (const { external_id, payload: item } of records) {
    const payload = item['payload'];
    if (isJsonObject(payload)) page.records.push({ external_id, payload });
    else page.failures.push({ external_id, place: items.findIndex(({ id }) => id === external_id), reason: 'too_large' });
  }
  return page;
}

function parsed(text: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    throw new RemoteError('unexpected', 'A row is not JSON.');
  }
  if (isTooDeep(value)) throw new RemoteError('unexpected', 'A row is nested too deeply.');
  if (!isJsonObject(value)) throw new RemoteError('unexpected', 'A row is no object of JSON.');
  return value;
}

/** Turns the driver's errors into {@link RemoteError}. Their messages may quote values, so only the code is kept. */
async function attempt<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RemoteTooLargeError) {
      throw new RemoteError('too_large', 'The database sends more than a page may hold; a smaller page_size may help.');
    }
    if (error instanceof RemoteProtocolError || error instanceof RemoteRowsError) {
      throw new RemoteError('unexpected', 'The database does not answer as PostgreSQL does.');
    }
    if (error instanceof DatabaseError) throw databaseFault(error.code ?? 'unknown');
    throw new RemoteError('unreachable', 'The database could not be reached.', { cause: error });
  }
}

function databaseFault(given: string): RemoteError {
  // A server may write anything there.
  const code = /^[0-9A-Z]{5}$/.test(given) ? given : 'unknown';
  // Classes of SQLSTATE: 28 authorization, 08 connection, 53 resources, 57 operator, 40 rollback.
  if (code.startsWith('28')) return new RemoteError('refused', 'The database refused the password.');
  const isTransient = ['08', '53', '57', '40'].some((sqlClass) => code.startsWith(sqlClass));
  return isTransient
    ? new RemoteError('failing', `The database answered with error ${code}.`)
    : new RemoteError('unexpected', `The database answered with error ${code}.`);
}
