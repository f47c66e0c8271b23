import { Pool } from 'pg';
import type { PoolConfig } from 'pg';

/**
 * Opens a pool whose connections may be lost. A pool has ended before its connections have, so the database that is dropped
 * after it may end them first, and by then nobody is left to hear their error.
 */
export function openTestPool(config: PoolConfig): Pool {
  const pool = new Pool(config);
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}
