import { Queue, Worker, createPostgresBackend } from 'bullmq';
import type { Job } from 'bullmq';
import { Redis } from 'ioredis';
import { eventually } from '../eventually.ts';
import { openTestPool } from '../test-pool.ts';
import { bullmqSchema } from '../../../src/services/queue/bullmq-schema.ts';

type Closable = { close(): Promise<void> };

/** A queue as its application uses it, on either backend. */
export type AppQueue = Closable &
  Pick<
    Queue<unknown, unknown>,
    'name' | 'add' | 'addBulk' | 'getJob' | 'getFailedCount' | 'getCompletedCount' | 'isPaused' | 'waitUntilReady'
  >;

/** A company's application as BullMQ sees it: it adds jobs, and its workers work, or fail. */
export interface BullmqApplication {
  queue(name: string): AppQueue;
  worker(name: string, work: (job: Job<unknown, unknown>) => Promise<unknown>): Closable;
  close(): Promise<void>;
}

/** An application whose queues are in PostgreSQL; it connects as the owner of BullMQ's schema. */
export function postgresApplication(ownerUrl: string): BullmqApplication {
  const pool = openTestPool({ connectionString: ownerUrl, max: 8, options: `-c search_path=${bullmqSchema}` });
  pool.setMaxListeners(0);
  const opened: Closable[] = [];
  const keep = <One extends Closable>(one: One): One => {
    opened.push(one);
    return one;
  };
  return {
    queue: (name) => keep(new Queue(name, { connection: pool }, createPostgresBackend)),
    worker: (name, work) => keep(new Worker(name, work, { connection: pool }, createPostgresBackend)),
    close: async () => {
      await Promise.allSettled(opened.map((one) => one.close()));
      await pool.end();
    },
  };
}

/** An application whose queues are in Redis. */
export function redisApplication(url: string): BullmqApplication {
  const opened: Closable[] = [];
  const connections: Redis[] = [];
  const connect = () => {
    const redis = new Redis(url, { maxRetriesPerRequest: null });
    redis.on('error', () => undefined);
    connections.push(redis);
    return redis;
  };
  const keep = <One extends Closable>(one: One): One => {
    opened.push(one);
    return one;
  };
  return {
    queue: (name) => keep(new Queue<unknown, unknown>(name, { connection: connect() })),
    worker: (name, work) => keep(new Worker(name, work, { connection: connect() })),
    close: async () => {
      await Promise.allSettled(opened.map((one) => one.close()));
      for (const redis of connections) redis.disconnect();
    },
  };
}

/** Adds jobs and lets a real worker fail every one of them with its own reason. @returns their ids. */
export async function failJobs(company: BullmqApplication, queue: AppQueue, reasons: readonly string[]): Promise<string[]> {
  const jobs = await queue.addBulk(
    reasons.map((reason) => ({ name: 'mail', data: { reason, api_key: 'sk_live_abcdefghijklmnop' } })),
  );
  const failing = company.worker(queue.name, async (job) => {
    throw new TypeError((job.data as { reason: string }).reason);
  });
  const ids = jobs.map(({ id }) => id ?? '');
  const states = () => Promise.all(ids.map(async (id) => (await queue.getJob(id))?.getState()));
  await eventually(states, (all) => all.every((state) => state === 'failed'));
  await failing.close();
  return ids;
}
