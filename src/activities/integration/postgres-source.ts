import { DatabaseError } from 'pg';
import type { JsonValue } from '../../domain/shared/canonical.ts';
import type { PostgresConfig } from '../../domain/integration/integration.ts';
import { recordLimits, partitionRecords } from '../../domain/integration/integration-records.ts';
import type { OutboundHttp } from '../../platform/outbound/outbound-http.ts';
import { PlainConnectionError, probeRemotePostgres, readRemotePage } from '../../platform/outbound/remote-postgres.ts';
import { RemoteError, outboundFault } from './remote-source.ts';
import type { RemoteSource } from './remote-source.ts';

/** A table or view of another PostgreSQL, read page by page in the order of its id column. */
export function connectPostgres(outbound: OutboundHttp, config: PostgresConfig, password: string): RemoteSource {
  const { host, port, database, user, tls, ...from } = config;
  const at = { host, port, database, user, password, tls };
  return {
    probe: () => attempt(() => probeRemotePostgres(outbound, at)),

    pull: (cursor) =>
      attempt(async () => {
        const rows = await readRemotePage(outbound, at, { ...from, after: cursor });
        const last = rows.length < from.page_size ? null : (rows.at(-1)?.id ?? null);
        if (last !== null && last.length > recordLimits.cursorLength) {
          throw new RemoteError('unexpected', 'An id is too long to go on from.');
        }
        // The id is that of the id column, even if the row has another member of this name.
        const items = rows.map(({ id, payload }) => ({ id, payload: payload as JsonValue }));
        const { records, failures } = partitionRecords(items, '/id');
        const payloads = records.map(({ external_id, payload }) => ({
          external_id,
          payload: payload.payload as (typeof records)[number]['payload'],
        }));
        return { records: payloads, failures, next_cursor: last };
      }),
  };
}

/** Turns the driver's errors into {@link RemoteError}. Their messages may quote values, so only the code is kept. */
async function attempt<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const fault = outboundFault(error);
    if (fault !== null) throw fault;
    if (error instanceof PlainConnectionError) throw new RemoteError('address_refused', error.message);
    if (error instanceof DatabaseError) throw databaseFault(error.code ?? 'unknown');
    throw new RemoteError('unreachable', 'The database could not be reached.', { cause: error });
  }
}

function databaseFault(code: string): RemoteError {
  // Classes of SQLSTATE: 28 authorization, 08 connection, 53 resources, 57 operator, 40 rollback.
  if (code.startsWith('28')) return new RemoteError('refused', 'The database refused the password.');
  const isTransient = ['08', '53', '57', '40'].some((sqlClass) => code.startsWith(sqlClass));
  return isTransient
    ? new RemoteError('failing', `The database answered with error ${code}.`)
    : new RemoteError('unexpected', `The database answered with error ${code}.`);
}
