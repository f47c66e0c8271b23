import { randomUUID } from 'node:crypto';
import type { ChildProcess } from 'node:child_process';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { cancelBulkRetrySignal, queueBulkRetryWorkflowId } from '../../../src/workflows/queue/queue-bulk-retry.contract.ts';
import { pausePhaseQuery, queuePauseWorkflowId } from '../../../src/workflows/queue/queue-pause.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { failJobs, postgresApplication } from '../../support/servers/bullmq.ts';
import type { AppQueue, BullmqApplication } from '../../support/servers/bullmq.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';
import { startInVirtualTime } from '../../support/temporal/virtual-time.ts';
import type { VirtualTime } from '../../support/temporal/virtual-time.ts';

const hour = 3_600_000;
const day = 24 * hour;
const pauses = recordedHistories('queue-pause');
const bulkRetries = recordedHistories('queue-bulk-retry');

/** A super admin, and an application that uses BullMQ. */
async function usersOf(app: TestApi) {
  return { admin: await app.signIn('role-super-admin'), company: postgresApplication(app.env.DATABASE_OWNER_URL ?? '') };
}

async function register(app: TestApi, admin: SignedIn, company: BullmqApplication, name: string): Promise<AppQueue> {
  const body = { name, provider: 'bullmq', source_name: name, environment: 'staging' };
  const answer = await callProven(app, admin, 'POST', '/admin/queues', { body });
  expect(answer.status).toBe(201);
  const queue = company.queue(name);
  await queue.waitUntilReady();
  return queue;
}

const show = async (app: TestApi, { token }: SignedIn, at: string) => (await app.call('GET', `/admin/queues/${at}`, { token })).body;

async function eventsOf(app: TestApi, admin: SignedIn, name: string, kind: string) {
  const { items } = await show(app, admin, `${name}/events`);
  return items.filter((event: { kind: string }) => event.kind === kind);
}

describe('the end of a pause, in virtual time (S2-27)', () => {
  let time: TestWorkflowEnvironment;
  let app: TestApi;
  let admin: SignedIn;
  let company: BullmqApplication;
  let stage: VirtualTime;

  beforeAll(async () => {
    stage = await startInVirtualTime();
    ({ time, app } = stage);
    ({ admin, company } = await usersOf(app));
  });

  afterAll(async () => {
    await company?.close();
    await stage?.close();
  });

  /** The end is counted from the virtual time, which is ahead of the real time of the API. */
  const pause = async (name: string, days: number) =>
    callProven(app, admin, 'POST', `/admin/queues/${name}/pause`, {
      body: { reason: 'maintenance', paused_until: new Date((await time.currentTimeMs()) + days * day).toISOString() },
    });
  const phaseOf = (id: string) =>
    app.api.deps.temporal.client.workflow
      .getHandle(queuePauseWorkflowId(defaultTenantId, id))
      .query(pausePhaseQuery)
      .catch(() => null);
  const historyOf = (id: string) =>
    app.api.deps.temporal.client.workflow.getHandle(queuePauseWorkflowId(defaultTenantId, id)).fetchHistory();
  const untilEnded = (id: string) => eventually(() => phaseOf(id), (phase) => phase === 'ended', 30_000);

  it('S2-27: comes automatically after days, once, and lets the jobs run', async () => {
    const queue = await register(app, admin, company, 'held');
    const paused = await pause('held', 2);
    expect(paused).toMatchObject({ status: 200, body: { pause: { state: 'paused', reason: 'maintenance' } } });
    await queue.add('waiting', {});
    const done = company.worker('held', async () => 'done');
    await time.sleep(1 * day);
    expect(await phaseOf(paused.body.id)).toBe('paused');
    await time.sleep(1 * day + hour);
    await untilEnded(paused.body.id);
    await pauses.record('ended-by-time', await historyOf(paused.body.id));
    await eventually(() => queue.getCompletedCount(), (count) => count === 1);
    await done.close();
    expect(await show(app, admin, 'held')).toMatchObject({ pause: null, live: { is_paused: false } });
    expect(await eventsOf(app, admin, 'held', 'resume')).toMatchObject([{ state: 'done', requested_by: null }]);
    expect(await eventsOf(app, admin, 'held', 'pause')).toMatchObject([{ state: 'done', requested_by: admin.user_id }]);
  });

  it('S2-28: does not come after somebody has resumed the queue, and a new pause has an end of its own', async () => {
    const queue = await register(app, admin, company, 'again');
    const first = await pause('again', 1);
    expect(first.status).toBe(200);
    const resumed = await Promise.all(
      [1, 2].map(() => callProven(app, admin, 'POST', '/admin/queues/again/resume', { body: { reason: 'sooner' } })),
    );
    expect(resumed.map(({ status }) => status)).toContain(200);
    expect(await queue.isPaused()).toBe(false);
    await untilEnded(first.body.id);
    await pauses.record('resumed', await historyOf(first.body.id));
    expect((await pause('again', 3)).status).toBe(200);
    await time.sleep(2 * day);
    expect(await queue.isPaused()).toBe(true);
    await time.sleep(1 * day + hour);
    await eventually(() => queue.isPaused(), (isPaused) => !isPaused, 30_000);
    expect(await eventsOf(app, admin, 'again', 'pause')).toHaveLength(2);
  });
});

describe('histories of earlier builds', () => {
  it('can be replayed with this one', async () => {
    await pauses.replayAll();
    await bulkRetries.replayAll();
  });
});

describe('T-1: a bulk retry that is cancelled', () => {
  let app: TestApi;
  let admin: SignedIn;
  let company: BullmqApplication;
  let worker: RunningWorker;

  beforeAll(async () => {
    app = await startTestApi();
    ({ admin, company } = await usersOf(app));
    worker = await startWorker(app.env, app.api.deps.log);
  });

  afterAll(async () => {
    await worker?.close();
    await company?.close();
    await app?.close();
  });

  const retrying = async (name: string, jobs: number) => {
    const queue = await register(app, admin, company, name);
    await failJobs(company, queue, Array.from({ length: jobs }, (_, n) => `failure ${n}`));
    const started = await callProven(app, admin, 'POST', `/admin/queues/${name}/bulk-retries`, { body: { reason: 'fixed', per_second: 2 } });
    expect(started.status).toBe(202);
    const at = `${name}/bulk-retries/${started.body.id}`;
    await eventually(() => show(app, admin, at), ({ progress }) => progress?.retried >= 1);
    return { queue, id: String(started.body.id), at };
  };
  const ended = (at: string) => eventually(() => show(app, admin, at), ({ state }) => state !== 'running');

  it('takes no further jobs and ends as cancelled, though its workflow has been told nothing', async () => {
    const { queue, id, at } = await retrying('untold', 30);
    await asSuperuser(app, `update admin_queue_events set details = '{"cancel_requested_at": "now"}' || details where id = $1`, [id]);
    const over = await ended(at);
    expect(over.state).toBe('cancelled');
    expect(over.progress.retried).toBeLessThan(30);
    expect(await queue.getFailedCount()).toBe(30 - over.progress.retried);
  });

  it('is cancelled, too, when the last job has been retried already', async () => {
    const { at } = await retrying('last', 1);
    // Nobody works on the queue, so the result of the job is waited for.
    expect((await app.call('POST', `/admin/queues/${at}/cancel`, { token: admin.token })).status).toBe(202);
    expect((await ended(at)).state).toBe('cancelled');
    expect((await app.call('POST', `/admin/queues/${at}/cancel`, { token: admin.token })).body.code).toBe('queue.retry-over');
  });

  it('is the one that is named: a late word about an earlier one ends no other', async () => {
    const { queue, at } = await retrying('other', 4);
    const { body } = await app.call('GET', '/admin/queues/other', { token: admin.token });
    const handle = app.api.deps.temporal.client.workflow.getHandle(queueBulkRetryWorkflowId(defaultTenantId, body.id));
    await handle.signal(cancelBulkRetrySignal, { bulk_id: randomUUID() });
    const working = company.worker('other', async () => 'sent');
    expect(await ended(at)).toMatchObject({ state: 'done', progress: { retried: 4 } });
    expect(await queue.getFailedCount()).toBe(0);
    await working.close();
  });
});

describe('a worker that is killed', () => {
  let app: TestApi;
  let admin: SignedIn;
  let company: BullmqApplication;
  let worker: ChildProcess;

  beforeAll(async () => {
    app = await startTestApi();
    ({ admin, company } = await usersOf(app));
    worker = await startWorkerProcess(app.env);
  });

  afterAll(async () => {
    if (worker !== undefined) await killProcess(worker);
    await company?.close();
    await app?.close();
  });

  it('neither makes a job be retried twice nor leaves a queue paused', async () => {
    const held = await register(app, admin, company, 'held');
    const bulk = await register(app, admin, company, 'bulk');
    await failJobs(company, bulk, Array.from({ length: 40 }, (_, n) => `failure ${n}`));
    const attempts = new Map<string, number>();
    const working = company.worker('bulk', async ({ id = '' }) => {
      attempts.set(id, (attempts.get(id) ?? 0) + 1);
    });
    // Longer than it takes until the worker is killed, on a busy machine too.
    const until = { reason: 'short', paused_until: new Date(Date.now() + 40_000).toISOString() };
    expect((await callProven(app, admin, 'POST', '/admin/queues/held/pause', { body: until })).status).toBe(200);
    const started = await callProven(app, admin, 'POST', '/admin/queues/bulk/bulk-retries', {
      body: { reason: 'fixed', per_second: 10 },
    });
    expect(started.status).toBe(202);
    await eventually(async () => attempts.size, (size) => size >= 10);

    await killProcess(worker);
    expect(await held.isPaused()).toBe(true);
    worker = await startWorkerProcess(app.env);

    const at = `bulk/bulk-retries/${started.body.id}`;
    const ended = await eventually(() => show(app, admin, at), ({ state }) => state !== 'running', 90_000);
    expect(ended).toMatchObject({ state: 'done', progress: { selected: 40, retried: 40, completed: 40, failed_again: 0 } });
    expect([...attempts.values()]).toEqual(Array.from({ length: 40 }, () => 1));
    const { body } = await app.call('GET', '/admin/queues/bulk', { token: admin.token });
    const bulkId = queueBulkRetryWorkflowId(defaultTenantId, body.id);
    await bulkRetries.record('killed', await app.api.deps.temporal.client.workflow.getHandle(bulkId).fetchHistory());
    await eventually(() => held.isPaused(), (isPaused) => !isPaused, 60_000);
    await eventually(() => eventsOf(app, admin, 'held', 'resume'), (resumes) => resumes.length === 1);
    await working.close();
  });
});
