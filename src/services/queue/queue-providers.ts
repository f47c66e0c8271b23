import type { Env } from '../../platform/env.ts';
import { createBullmqProvider } from './bullmq-queue-provider.ts';
import type { QueueProviders } from '../../platform/outbound/queue-provider.ts';
import { createTemporalQueueProvider } from './temporal-queue-provider.ts';
import type { TemporalClient } from '../../platform/temporal/temporal-client.ts';

type QueueEnv = Pick<Env, 'DATABASE_URL' | 'QUEUE_DATABASE_URL' | 'QUEUE_POOL_SIZE' | 'REDIS_URL'>;

/** The engines of a process: BullMQ, on Redis when configured, else on PostgreSQL; and Temporal (S2-67). */
export function createQueueProviders(env: QueueEnv, temporal: TemporalClient, tenantAttribute: string): QueueProviders {
  const { REDIS_URL: redisUrl, QUEUE_DATABASE_URL: databaseUrl = env.DATABASE_URL, QUEUE_POOL_SIZE: poolSize } = env;
  const providers = {
    bullmq: createBullmqProvider(redisUrl === undefined ? { databaseUrl, poolSize } : { redisUrl }),
    temporal: createTemporalQueueProvider(temporal, tenantAttribute),
  };
  return {
    of: (name) => providers[name],
    close: async () => {
      await Promise.allSettled(Object.values(providers).map((provider) => provider.close()));
    },
  };
}
