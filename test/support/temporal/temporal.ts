import { randomBytes } from 'node:crypto';

import type { TestWorkflowEnvironment } from '@temporalio/testing';

import { startupMessage } from '../../../src/dev/startup-error.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { runState } from '../run-state.ts';
import { fetchMavenTestServer, hasMavenTestServer, mavenTestServerPath } from './time-skipping-server.ts';

/** `host:port` of the run's Temporal dev server; it does not skip time. */
export function temporalAddress(): string {
  return runState().temporal_address;
}

/** The workflow code, bundled once for the run: `Worker.create({ workflowBundle: { codePath } })`. */
export function workflowBundlePath(): string {
  return runState().workflow_bundle;
}

/** A task queue of its own, so that no worker of another test file takes the tasks. */
export function uniqueTaskQueue(feature: string): string {
  return `${feature}-${randomBytes(6).toString('hex')}`;
}

/**
 * Keeps what the SDK's workers log out of the test output. Before the first worker of a test file that makes one
 * itself; `startWorker` logs where it is told to.
 */
export async function quietTemporal(): Promise<void> {
  const { installTemporalRuntime } = await import('../../../src/worker.ts');
  installTemporalRuntime(createLogger({ level: 'silent', name: 'test' }));
}

const startAttempts = 6;

/** The SDK gives a server five seconds to listen; on a busy machine a Java process takes longer now and then. */
async function patiently<Server>(start: () => Promise<Server>): Promise<Server> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (attempt === startAttempts || !startupMessage(error).includes('did not start within')) throw error;
    }
  }
}

/**
 * A Temporal server that skips time: a timer of days fires at once when a test awaits a result. It is a process of its
 * own, because time is skipped for everybody on it; call `teardown()` in `afterAll`.
 *
 * The SDK downloads the server. Where it cannot, the same server comes from Maven and needs Java.
 *
 * @throws Error with one line that names both reasons when there is no way to get it
 */
export async function timeSkippingEnvironment(): Promise<TestWorkflowEnvironment> {
  // Loaded here, because the API tests import this file and need nothing native of Temporal.
  const { TestWorkflowEnvironment: Environment } = await import('@temporalio/testing');
  await quietTemporal();
  const startFrom = (path: string) =>
    patiently(() => Environment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } }));
  const cacheFolder = runState().cache_folder;
  if (await hasMavenTestServer(cacheFolder)) return startFrom(mavenTestServerPath(cacheFolder));
  let downloadFailure: string;
  try {
    return await Environment.createTimeSkipping();
  } catch (error) {
    downloadFailure = startupMessage(error);
  }
  try {
    return await startFrom(await fetchMavenTestServer(cacheFolder));
  } catch (error) {
    throw new Error(
      `No time-skipping Temporal server: the SDK could not download it (${downloadFailure}); ${startupMessage(error)}.`,
      { cause: error },
    );
  }
}
