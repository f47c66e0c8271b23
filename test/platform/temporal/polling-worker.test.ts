import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { keepPolling } from '../../../src/platform/temporal/polling-worker.ts';
import type { Polling } from '../../../src/platform/temporal/polling-worker.ts';
import { eventually } from '../../support/eventually.ts';
import { quietTemporal, temporalAddress, uniqueTaskQueue, workflowBundlePath } from '../../support/temporal/temporal.ts';

const log = createLogger({ level: 'silent', name: 'test' });
let connection: NativeConnection;
let polling: Polling | undefined;
const made: Worker[] = [];

beforeAll(async () => {
  await quietTemporal();
  connection = await NativeConnection.connect({ address: temporalAddress() });
});

afterEach(async () => {
  await polling?.stop();
  made.length = 0;
});

afterAll(() => connection.close());

async function create(): Promise<Worker> {
  const worker = await Worker.create({
    connection,
    taskQueue: uniqueTaskQueue('polling'),
    workflowBundle: { codePath: workflowBundlePath() },
  });
  made.push(worker);
  return worker;
}

describe('T-26: keepPolling', () => {
  it('begins again when the polling ends by itself', async () => {
    const begins: AbortSignal[] = [];
    const beside = async (signal: AbortSignal) => void begins.push(signal);
    polling = keepPolling({ log, onWait: undefined, problem: async () => undefined, create, beside });
    await polling.begun;
    expect(polling.isPolling()).toBe(true);
    made[0]?.shutdown();
    await eventually(async () => made.length, (count) => count === 2);
    await eventually(async () => polling?.missing(), (missing) => missing === undefined);
    expect(begins.map(({ aborted }) => aborted)).toEqual([true, false]);
    await polling.stop();
    await expect(polling.ended).resolves.toBeUndefined();
  });

  it('waits for what is missing, and tells each thing once', async () => {
    const waits: string[] = [];
    const problems: (string | undefined)[] = ['temporal unreachable', 'namespace missing', 'namespace missing'];
    const problem = async () => problems.shift();
    polling = keepPolling({ log, onWait: (missing) => waits.push(missing), problem, create, beside: async () => undefined });
    expect(polling.isPolling()).toBe(false);
    await polling.begun;
    expect(waits).toEqual(['temporal unreachable', 'namespace missing']);
  });

  it('tries again when Temporal refuses the worker, and ends with an error that no waiting mends', async () => {
    let attempts = 0;
    const failing = async () => {
      attempts += 1;
      if (attempts === 1) await NativeConnection.connect({ address: '127.0.0.1:1' });
      if (attempts === 2) await Worker.create({ connection, namespace: 'none', taskQueue: 'none', activities: { none: () => undefined } });
      throw new Error('The code cannot be loaded.');
    };
    polling = keepPolling({ log, onWait: undefined, problem: async () => undefined, create: failing, beside: async () => undefined });
    await expect(polling.ended).rejects.toThrow('The code cannot be loaded.');
    expect(attempts).toBe(3);
  });

  it('can be stopped while it waits', async () => {
    polling = keepPolling({ log, onWait: undefined, problem: async () => 'namespace missing', create, beside: async () => undefined });
    await eventually(async () => polling?.missing(), (missing) => missing === 'namespace missing');
    await polling.stop();
    await expect(polling.ended).resolves.toBeUndefined();
    expect(made).toEqual([]);
  });
});
