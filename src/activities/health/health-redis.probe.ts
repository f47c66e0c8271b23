import type { Env } from '../../platform/env.ts';
import type { HealthProbe } from './health-probe.ts';

const answerWithinMs = 5_000;

/** Measures a round trip to the Redis of the queues; nothing where there is none. */
export function createRedisProbe({ REDIS_URL: url }: Pick<Env, 'REDIS_URL'>): HealthProbe {
  return {
    metrics: ['redis.up', 'redis.latency_ms'],
    async measure() {
      if (url === undefined) return {};
      const { Redis } = await import('ioredis');
      const redis = new Redis(url, {
        connectionName: 'castellan-health',
        connectTimeout: answerWithinMs,
        commandTimeout: answerWithinMs,
        lazyConnect: true,
        maxRetriesPerRequest: 0,
        retryStrategy: () => null,
      });
      // The call that fails says so itself; without a listener the event would end the process.
      redis.on('error', () => undefined);
      try {
        await redis.connect();
        const startedAt = performance.now();
        await redis.ping();
        return { 'redis.up': 1, 'redis.latency_ms': performance.now() - startedAt };
      } catch {
        return { 'redis.up': 0 };
      } finally {
        redis.disconnect();
      }
    },
  };
}
