import { Queue, createPostgresBackend } from 'bullmq';
import { Redis } from 'ioredis';
import { createPool } from '../../platform/database/connections.ts';
import { bullmqSchema } from './bullmq-schema.ts';

/** Where BullMQ keeps its jobs. */
export type BullmqStore = { readonly redisUrl: string } | { readonly databaseUrl: string; readonly poolSize: number };

/** The methods of a queue that are used here, on either backend. */
export type AnyQueue = Pick<
  Queue<unknown, unknown>,
  | 'getJob'
  | 'getJobs'
  | 'getJobCounts'
  | 'getMetrics'
  | 'getWorkersCount'
  | 'isPaused'
  | 'pause'
  | 'resume'
  | 'clean'
  | 'close'
>;

/** The queues of a process, over connections that they share. */
export interface BullmqQueues {
  /** The queue of a name; opened when it is first used. */
  of(name: string): AnyQueue;
  close(): Promise<void>;
}

interface Backend {
  open(name: string): AnyQueue;
  close(): Promise<void>;
}

/** Within the deadline of a call (`queue-provider.ts`); a server that refuses is known at once. */
const connectTimeoutMs = 3_000;
/** Queues that are kept open; opening one costs two statements. */
const maxOpenQueues = 200;

/** Opens queues as they are used, and closes the one that was opened first when there are too many. */
export function openBullmqQueues(store: BullmqStore): BullmqQueues {
  const backend = 'redisUrl' in store ? redisBackend(store.redisUrl) : postgresBackend(store);
  const open = new Map<string, AnyQueue>();
  return {
    of(name) {
      let queue = open.get(name);
      if (queue === undefined) {
        queue = backend.open(name);
        open.set(name, queue);
        const [oldest] = open.keys();
        if (open.size > maxOpenQueues && oldest !== undefined) {
          void open.get(oldest)?.close().catch(ignored);
          open.delete(oldest);
        }
      }
      return queue;
    },
    async close() {
      await Promise.allSettled([...open.values()].map((queue) => queue.close()));
      await backend.close();
    },
  };
}

/** A lost connection also rejects the call that uses it; without a listener the event would end the process. */
const ignored = () => undefined;

function postgresBackend({ databaseUrl, poolSize }: { databaseUrl: string; poolSize: number }): Backend {
  const pool = createPool({
    connectionString: databaseUrl,
    max: poolSize,
    connectionTimeoutMillis: connectTimeoutMs,
    application_name: 'castellan-queues',
    options: `-c search_path=${bullmqSchema}`,
  });
  // Every open queue adds a listener.
  pool.setMaxListeners(maxOpenQueues * 2).on('error', ignored);
  return {
    // The metadata of a queue belongs to the applications that use it.
    open: (name) =>
      new Queue(name, { connection: pool, skipMetasUpdate: true }, createPostgresBackend).on('error', ignored),
    close: () => pool.end(),
  };
}

function redisBackend(url: string): Backend {
  const redis = new Redis(url, {
    connectionName: 'castellan-queues',
    connectTimeout: connectTimeoutMs,
    lazyConnect: true,
    // A change that was answered as unavailable must not be made later, when Redis is back.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
  });
  redis.on('error', ignored);
  return {
    open: (name) => new Queue(name, { connection: redis, skipMetasUpdate: true }).on('error', ignored),
    close: async () => redis.disconnect(),
  };
}
