import { NativeConnection, Worker } from '@temporalio/worker';
import type { ActivityDeps } from '../../../src/activities/deps.ts';
import type { Env } from '../../../src/platform/env.ts';
import { createMetrics } from '../../../src/platform/observability/metrics.ts';
import { registerSearchAttributes } from '../../../src/platform/temporal/search-attributes.ts';
import { createActivityDeps, workerOptions } from '../../../src/worker.ts';
import { searchAttributes } from '../../../src/workflows/shared/search-attributes.ts';
import type { TestApi } from '../api.ts';
import { quietTemporal } from './temporal.ts';

/** A worker in the process of the test, which runs what is deployed but keeps no schedules. */
export interface InProcessWorker {
  readonly deps: ActivityDeps;
  /** Polls again after {@link stop}. */
  start(): Promise<void>;
  /** Lets running tasks end and takes no more. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a worker on the Temporal and the task queue of an application.
 *
 * @param env where the worker is to have other settings than the application.
 * @param hasAttributes that the namespace has the search attributes already.
 */
export async function startInProcessWorker(
  app: TestApi,
  { env = app.env, hasAttributes = false }: { env?: Env; hasAttributes?: boolean } = {},
): Promise<InProcessWorker> {
  await quietTemporal();
  const deps = await createActivityDeps(env, app.api.deps.log, createMetrics('worker'));
  if (!hasAttributes) await registerSearchAttributes(deps.temporal.client, env.TEMPORAL_NAMESPACE, searchAttributes);
  const connection = await NativeConnection.connect({ address: env.TEMPORAL_ADDRESS });
  let stop = async () => {};
  const start = async () => {
    const worker = await Worker.create(workerOptions(env, deps, connection));
    const stopped = worker.run();
    stop = async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await stopped;
    };
  };
  await start();
  return {
    deps,
    start,
    stop: () => stop(),
    close: async () => {
      await stop();
      await Promise.allSettled([deps.temporal.close(), deps.queues.close(), deps.outbound.close(), deps.db.close()]);
      await connection.close();
    },
  };
}
