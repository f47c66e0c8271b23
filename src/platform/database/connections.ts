import { Client, Pool } from 'pg';
import type { PoolConfig } from 'pg';

/**
 * A connection beside the pools of the process, for what needs one for itself, such as a stream out of one snapshot. The
 * caller ends it.
 */
export async function connectClient(url: string, applicationName: string): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: applicationName });
  await client.connect();
  return client;
}

/** A pool for a library that brings its own statements. The caller ends it. */
export function createPool(config: PoolConfig): Pool {
  return new Pool(config);
}
