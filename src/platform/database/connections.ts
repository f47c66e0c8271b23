import { Client, Pool } from 'pg';
import type { PoolConfig } from 'pg';
import { createWireTypes } from './wire-types.ts';

/**
 * A dedicated connection outside the pools of the process, e.g. for a stream out of one snapshot. The caller closes it.
 */
export async function connectClient(url: string, applicationName: string): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: applicationName });
  await client.connect();
  return client;
}

/** A pool for a library that sends its own statements. The caller closes it. */
export function createPool(config: PoolConfig): Pool {
  return new Pool(config);
}

/** Pipelining connections for the read path as another role than the application's. The caller closes them. */
export function createReadPool(url: string, applicationName: string): Pool {
  const pool = new Pool({
    connectionString: url,
    max: 2,
    options: '-c TimeZone=UTC -c statement_timeout=60s',
    application_name: applicationName,
    types: createWireTypes(),
    connectionTimeoutMillis: 5_000,
    pipeline: true,
  });
  // The user of a connection learns of its end from the failed query.
  pool.on('error', () => undefined);
  return pool;
}
