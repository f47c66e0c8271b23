import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import { createProcessLimiter, createSharedLimiter, rateLimitHeaders } from '../../../src/platform/security/rate-limit.ts';
import type { Limiter, RateLimitPolicy } from '../../../src/platform/security/rate-limit.ts';
import { createWireTypes } from '../../../src/platform/database/wire-types.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { openTestPool } from '../../support/test-pool.ts';

const policy: RateLimitPolicy = { name: 'tries', limit: 10, windowSeconds: 60 };

let database: TestDatabase;
/** Two pools stand for two processes: they share nothing but the database. */
let pools: [Pool, Pool];

beforeAll(async () => {
  database = await createTestDatabase();
  const open = () => openTestPool({ connectionString: database.appUrl, max: 5, types: createWireTypes() });
  pools = [open(), open()];
});

afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await database.drop();
});

const shared = (
  pool: Pool,
  overrides: Partial<RateLimitPolicy> = {},
  onStoreError: (error: unknown) => void = () => undefined,
): Limiter => createSharedLimiter({ pool, policy: { ...policy, ...overrides }, onStoreError });

const outcomes = async (takes: readonly Promise<unknown>[]) => {
  const settled = await Promise.allSettled(takes);
  return {
    allowed: settled.filter(({ status }) => status === 'fulfilled').length,
    refusals: settled.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])),
  };
};

describe('limits that all processes share, under concurrency', () => {
  it('allow exactly 10 of 200 parallel requests over two processes', async () => {
    const limiters = pools.map((pool) => shared(pool));
    const { allowed, refusals } = await outcomes(
      Array.from({ length: 200 }, (_, index) => (limiters[index % 2] ?? shared(pools[0])).take('one caller')),
    );
    expect(allowed).toBe(10);
    expect(refusals).toHaveLength(190);
    expect(refusals[0]).toMatchObject({ code: 'request.rate-limited', status: 429, members: { policy: 'tries' } });
    expect((refusals[0] as { retryAfterSeconds: number }).retryAfterSeconds).toBeGreaterThan(50);
  });

  it('keep callers and policies apart', async () => {
    const limiter = shared(pools[0], { name: 'apart', limit: 1 });
    await limiter.take('a');
    await expect(limiter.take('b')).resolves.toMatchObject({ remaining: 0 });
    await expect(limiter.take('a')).rejects.toMatchObject({ status: 429 });
    await expect(shared(pools[0], { name: 'other', limit: 1 }).take('a')).resolves.toBeDefined();
  });

  it('count only failures where successes are given back', async () => {
    const limiter = shared(pools[0], { name: 'failures', limit: 2 });
    for (let count = 0; count < 20; count += 1) {
      await limiter.take('a');
      await limiter.giveBack('a');
    }
    await limiter.take('a');
    await limiter.take('a');
    await expect(limiter.take('a')).rejects.toMatchObject({ status: 429 });
  });

  it('allow requests again when their window is over', async () => {
    const limiter = shared(pools[0], { name: 'short', limit: 1, windowSeconds: 1 });
    await limiter.take('a');
    await expect(limiter.take('a')).rejects.toMatchObject({ status: 429, retryAfterSeconds: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await expect(limiter.take('a')).resolves.toMatchObject({ remaining: 0 });
  });

  it('keep their count when the transaction of the caller rolls back', async () => {
    const limiter = shared(pools[0], { name: 'rolled-back', limit: 1 });
    const client = await pools[0].connect();
    await client.query('begin');
    await limiter.take('a');
    await client.query('rollback');
    client.release();
    await expect(limiter.take('a')).rejects.toMatchObject({ status: 429 });
  });

  it('store no address or account name, and accept keys of any length', async () => {
    await shared(pools[0]).take('maria.silva@example.com');
    await shared(pools[0]).take('x'.repeat(10_000));
    const { rows } = await pools[0].query<{ key: string }>('select key from rate_limit_counters');
    expect(rows.filter(({ key }) => key.includes('maria') || key.length > 100)).toEqual([]);
  });

  it('refuse with 503 when the store is unavailable, and give the reason to the log only', async () => {
    const away = openTestPool({ connectionString: 'postgres://nobody:secret@127.0.0.1:1/none' });
    const errors: unknown[] = [];
    const limiter = shared(away, {}, (error) => errors.push(error));
    await expect(limiter.take('a')).rejects.toMatchObject({ code: 'service.unavailable', status: 503 });
    expect(errors).toHaveLength(1);
    await away.end();
  });
});

describe('limits of one process', () => {
  it('allow exactly 10 of 200 parallel requests', async () => {
    const limiter = createProcessLimiter({ ...policy, name: 'here' });
    const { allowed } = await outcomes(Array.from({ length: 200 }, () => limiter.take('a')));
    expect(allowed).toBe(10);
  });

  it('are reported to the caller in the headers of the draft', async () => {
    const state = await createProcessLimiter({ ...policy, name: 'headers' }).take('a');
    expect(rateLimitHeaders(state)).toEqual({
      'RateLimit-Policy': '"headers";q=10;w=60',
      RateLimit: '"headers";r=9;t=60',
    });
  });
});
