import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { countRpcs } from '../../support/budget.ts';
import { eventually } from '../../support/eventually.ts';
import { startOwnTemporal } from '../../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../../support/temporal/own-temporal.ts';
import { killProcess, launchWorkerProcess } from '../../support/temporal/worker-process.ts';
import type { WorkerProcess } from '../../support/temporal/worker-process.ts';

/** The server has another one. */
const namespace = 'castellan';
const dayInSeconds = 86_400;

let temporal: OwnTemporal;
let app: TestApi;
let admin: SignedIn;
let worker: WorkerProcess | undefined;

beforeAll(async () => {
  // What the server knows of its namespaces is ten seconds old otherwise.
  temporal = await startOwnTemporal(['system.namespaceCacheRefreshInterval="1s"']);
  app = await startTestApi({ TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: namespace });
  admin = await app.signIn('role-super-admin');
});

afterAll(async () => {
  if (worker !== undefined) await killProcess(worker.child);
  await app.close();
  await temporal.stop();
});

const readiness = () => app.call('GET', '/health/ready');
const workerReadiness = async () => (await worker?.readiness()) ?? null;

/** The components `temporal` and `worker` as staff see them. */
async function components() {
  const { body } = await app.call('GET', '/admin/system-health', { token: admin.token });
  const of = (name: string) => body.components.find(({ component }: { component: string }) => component === name);
  return { temporal: of('temporal'), worker: of('worker') };
}

async function createNamespace(): Promise<void> {
  const { workflowService } = app.api.deps.temporal.client;
  const workflowExecutionRetentionPeriod = { seconds: dayInSeconds as never };
  await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
}

/** In the order in which an installation comes up, and loses a part again. */
describe('T-47: readiness tells the truth about Temporal', () => {
  it('the API says that the namespace is missing where the server answers without it', async () => {
    const { status, body } = await readiness();
    expect(body).toEqual({
      status: 'degraded',
      checks: { database: 'up', temporal: 'down', worker: 'unknown' },
      missing: ['namespace missing'],
    });
    // Reads go on, so the load balancer keeps this process.
    expect(status).toBe(200);
    const reason = 'Missing: namespace missing.';
    expect(await components()).toMatchObject({
      temporal: { status: 'down', reason },
      worker: { status: 'unknown', reason },
    });
  });

  it('a worker whose namespace is missing lives, and says what it waits for', async () => {
    worker = await launchWorkerProcess(app.env);
    const answer = await eventually(workerReadiness, (found) => found !== null);
    expect(answer).toMatchObject({
      status: 503,
      body: { status: 'unready', checks: { temporal: 'down', polling: 'down', invalidation: 'up' } },
    });
    expect(answer?.body['missing']).toContain('namespace missing');
    expect(worker.said()).toBe('');
  });

  it('the worker begins when the namespace appears, and the API sees its pollers', async () => {
    await createNamespace();
    const ready = await eventually(workerReadiness, (found) => found?.body['status'] === 'ready', 40_000);
    expect(ready).toMatchObject({ status: 200, body: { missing: [] } });
    const { body } = await eventually(readiness, (found) => found.body.status === 'ready');
    expect(body).toEqual({ status: 'ready', checks: { database: 'up', temporal: 'up', worker: 'up' }, missing: [] });
    const shown = await eventually(components, (found) => found.worker.status === 'up');
    expect(shown).toMatchObject({ worker: { status: 'up', reason: null } });
    expect(worker?.child.exitCode).toBeNull();
  });

  it('the pollers are asked for once in some seconds, however many probes there are', async () => {
    const rpcs = countRpcs(app.api.deps.temporal.client);
    const probes = await Promise.all(Array.from({ length: 60 }, readiness));
    expect(probes.every(({ status }) => status === 200)).toBe(true);
    expect(rpcs()).toBeLessThan(60);
  });
});

describe('T-26: a lost Temporal', () => {
  it('is outlived by the worker, which says so and goes on when it is back', async () => {
    await temporal.kill();
    const lost = await eventually(workerReadiness, (found) => found?.status === 503);
    expect(lost?.body['missing']).toContain('temporal unreachable');
    expect((await readiness()).body).toMatchObject({
      status: 'degraded',
      checks: { database: 'up', temporal: 'down', worker: 'unknown' },
      missing: ['temporal unreachable'],
    });
    await temporal.restart();
    await eventually(workerReadiness, (found) => found?.body['status'] === 'ready', 60_000);
    expect(worker?.child.exitCode).toBeNull();
  });
});

describe('T-47: a worker that waits', () => {
  it('ends in an orderly way when it is asked to', async () => {
    const waiting = await launchWorkerProcess({ ...app.env, TEMPORAL_NAMESPACE: 'never-made' });
    await eventually(waiting.readiness, (found) => found?.status === 503);
    const ended = once(waiting.child, 'exit');
    waiting.child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(waiting.said()).toBe('');
  });
});

describe('T-47: no worker', () => {
  let idle: TestApi;

  beforeAll(async () => {
    idle = await startTestApi();
  });

  afterAll(() => idle.close());

  it('is a degraded state of the API and no reason to restart it', async () => {
    const { status, body } = await idle.call('GET', '/health/ready');
    expect(status).toBe(200);
    expect(body).toEqual({
      status: 'degraded',
      checks: { database: 'up', temporal: 'up', worker: 'down' },
      missing: ['no worker polls'],
    });
  });
});
