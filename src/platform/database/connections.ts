import { Client, Pool } from 'pg';
import type { PoolConfig } from 'pg';

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
