import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';

import { cacheFolderPath } from '../../src/dev/data-folder.ts';
import { isAlive } from '../../src/dev/processes.ts';
import { findTemporal } from '../../src/dev/temporal-finder.ts';
import { startTemporalServer, type TemporalServer } from '../../src/dev/temporal-server.ts';
import { freePort } from '../../src/dev/ports.ts';
import { quietTemporal, timeSkippingEnvironment, uniqueTaskQueue } from '../support/temporal/temporal.ts';

const fixtures = fileURLToPath(new URL('./fixtures/timer.workflow.ts', import.meta.url));

beforeAll(quietTemporal);

describe('the Temporal dev server', () => {
  let folder: string;
  let executable: string;
  let running: TemporalServer | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'castellan-temporal-'));
    const env = { ...process.env, TEMPORAL_ADDRESS: undefined };
    const source = await findTemporal({ env, cacheFolder: cacheFolderPath(process.env) });
    if (source.kind === 'server') throw new Error('expected a program');
    executable = source.path;
  });

  afterEach(async () => {
    await running?.stop();
    running = undefined;
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function start(ports: { port?: number; webPort?: number } = {}): Promise<TemporalServer> {
    running = await startTemporalServer({
      executable,
      databaseFile: join(folder, 'temporal.db'),
      logFile: join(folder, 'temporal.log'),
      port: ports.port ?? (await freePort()),
      webPort: ports.webPort,
      namespace: 'default',
    });
    return running;
  }

  it('finishes a workflow that was started before a restart', async () => {
    const taskQueue = uniqueTaskQueue('nap');
    const workflowId = `nap/${taskQueue}`;
    const first = await start();
    await withClient(first, (client) => client.workflow.start('napWorkflow', { taskQueue, workflowId, args: [10] }));
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);

    const second = await start();
    const connection = await NativeConnection.connect({ address: second.address });
    const worker = await Worker.create({ connection, taskQueue, workflowsPath: fixtures });
    const result = await worker.runUntil(
      withClient(second, (client) => client.workflow.getHandle(workflowId).result()),
    );
    await connection.close();
    expect(result).toBe('slept 10 ms');
  });

  it('brings Temporal Web', async () => {
    const server = await start({ webPort: await freePort() });
    const page = await fetch(server.webUrl ?? '');
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<html')]);
  });

  it.each([
    ['port', 'Temporal', 'TEMPORAL_PORT'],
    ['webPort', 'Temporal Web', 'TEMPORAL_WEB_PORT'],
  ])('says in one line that its %s is taken and which variable changes it', async (which, use, variable) => {
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    try {
      const failure = await start({ [which]: port }).catch((error: unknown) => error);
      expect(String(failure)).toMatch(new RegExp(`^StartupError: Port ${port} \\(${use}\\) is in use.* set ${variable} `));
      expect(String(failure)).not.toContain('\n');
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  it('says in one line why it ended while starting', async () => {
    const failure = await startTemporalServer({
      executable,
      databaseFile: join(folder, 'no', 'such', 'folder', 'temporal.db'),
      logFile: join(folder, 'failure.log'),
      port: await freePort(),
      namespace: 'default',
    }).catch((error: unknown) => error);
    expect(String(failure)).toMatch(/^StartupError: Temporal ended while starting \(exit code 1\): .*failure\.log$/);
    expect(String(failure)).not.toContain('\n');
  });
});

describe('the time-skipping server', () => {
  it('lets fifty minutes pass in an instant', async () => {
    const environment = await timeSkippingEnvironment();
    try {
      const taskQueue = uniqueTaskQueue('nap');
      const worker = await Worker.create({
        connection: environment.nativeConnection,
        taskQueue,
        workflowsPath: fixtures,
      });
      const start = Date.now();
      const result = await worker.runUntil(
        environment.client.workflow.execute('napWorkflow', {
          taskQueue,
          workflowId: `nap/${taskQueue}`,
          args: [50 * 60_000],
        }),
      );
      expect(result).toBe('slept 3000000 ms');
      expect(Date.now() - start).toBeLessThan(30_000);
    } finally {
      await environment.teardown();
    }
  });
});

async function withClient<T>(server: TemporalServer, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: server.address });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}
