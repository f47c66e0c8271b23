import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Env } from '../../../src/platform/env.ts';
import { searchAttributes } from '../../../src/workflows/shared/search-attributes.ts';
import { startTestApi } from '../api.ts';
import type { TestApi } from '../api.ts';
import { timeSkippingEnvironment, workflowBundlePath } from './temporal.ts';
import { startInProcessWorker } from './worker-in-process.ts';
import type { InProcessWorker } from './worker-in-process.ts';

/** The application and a worker on a Temporal whose clock jumps; that of the database stays real. */
export interface VirtualTime {
  readonly time: TestWorkflowEnvironment;
  readonly app: TestApi;
  readonly worker: InProcessWorker;
  close(): Promise<void>;
}

const keyword = 2;

/**
 * @param variables environment variables beside those that every test has.
 * @param workerEnv the settings of the worker, where they are not those of the application.
 */
export async function startInVirtualTime(
  variables: NodeJS.ProcessEnv = {},
  workerEnv: (app: TestApi) => Env = ({ env }) => env,
): Promise<VirtualTime> {
  const time = await timeSkippingEnvironment();
  const app = await startTestApi({ TEMPORAL_ADDRESS: time.address, WORKFLOW_BUNDLE: workflowBundlePath(), ...variables });
  await time.connection.operatorService.addSearchAttributes({
    namespace: app.env.TEMPORAL_NAMESPACE,
    // This server can add attributes but not list them, so the worker's own registration does not run here.
    searchAttributes: Object.fromEntries(Object.values(searchAttributes).map(({ name }) => [name, keyword])),
  });
  const worker = await startInProcessWorker(app, { env: workerEnv(app), hasAttributes: true });
  return {
    time,
    app,
    worker,
    close: async () => {
      await worker.close();
      await app.close();
      await time.teardown();
    },
  };
}
