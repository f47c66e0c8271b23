import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TypedSearchAttributes } from '@temporalio/common';
import { createCastellanClient } from '../../../src/sdk/index.ts';
import { samplePassword } from '../../../src/dev/sample-data.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { alertEvaluationWorkflowType } from '../../../src/workflows/health/alert-evaluation.contract.ts';
import { queueBulkRetryWorkflowId } from '../../../src/workflows/queue/queue-bulk-retry.contract.ts';
import { queueCleanStartOptions, queueCleanWorkflowId } from '../../../src/workflows/queue/queue-clean.contract.ts';
import { queuePauseWorkflowId } from '../../../src/workflows/queue/queue-pause.contract.ts';
import { searchAttributes } from '../../../src/workflows/shared/search-attributes.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { failJobs, postgresApplication } from '../../support/servers/bullmq.ts';
import type { AppQueue, BullmqApplication } from '../../support/servers/bullmq.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { secondTenant } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';

let app: TestApi;
let worker: RunningWorker;
let company: BullmqApplication;
let mails: AppQueue;
let admin: SignedIn;
let other: OtherTenant;

const path = '/admin/queues/mails';
const post = (at: string, body?: unknown, person = admin) => callProven(app, person, 'POST', at, { body });
const get = (at: string, person: { token: string } = admin) => app.call('GET', at, { token: person.token });
const inOneHour = () => new Date(Date.now() + 3_600_000).toISOString();
const register = (name: string, more: object = {}) =>
  post('/admin/queues', { name, provider: 'bullmq', source_name: name, environment: 'staging', ...more });

beforeAll(async () => {
  app = await startTestApi();
  worker = await startWorker(app.env, app.api.deps.log);
  admin = await app.signIn('role-super-admin');
  other = await secondTenant(app);
  company = postgresApplication(app.env.DATABASE_OWNER_URL ?? '');
  mails = company.queue('mails');
  await mails.waitUntilReady();
  expect((await register('mails')).status).toBe(201);
});

afterAll(async () => {
  await company?.close();
  await worker?.close();
  await app?.close();
});

const events = async (name: string): Promise<{ kind: string; state: string; requested_by: string | null }[]> =>
  (await get(`/admin/queues/${name}/events`)).body.items;

describe('Queues of BullMQ in PostgreSQL (S2-23..28, S2-49)', () => {
  it('S2-23, S2-24: are listed, with the age of the oldest waiting job and rates', async () => {
    const queue = company.queue('slow');
    await queue.addBulk([{ name: 'old', data: {} }, { name: 'new', data: {} }]);
    await asSuperuser(app, "update bullmq.job set added_at_ms = added_at_ms - 90000 where name = 'old'");
    await register('slow');
    const detail = await get('/admin/queues/slow');
    expect(detail.status).toBe(200);
    expect(detail.body.live).toMatchObject({ is_paused: false, workers: 0, counts: { waiting: 2, failed: 0 } });
    expect(detail.body.live.oldest_waiting_seconds).toBeGreaterThanOrEqual(90);
    const [next] = (await get('/admin/queues/slow/jobs?state=waiting&limit=1')).body.items;
    expect(next.name).toBe('old');
    expect(detail.body.rates).toMatchObject({ completed_per_minute: 0, source: 'kept_jobs' });
    const list = await get('/admin/queues');
    expect(list.body.items.map(({ name }: { name: string }) => name)).toEqual(['mails', 'slow']);
  });

  it('S2-25: show jobs by state, page by page, with secrets masked', async () => {
    const queue = company.queue('paged');
    await register('paged');
    await failJobs(company, queue, ['no route to 10.0.0.1', 'no route to 10.0.0.2', 'token=abc?api_key=verysecret']);
    const first = await get('/admin/queues/paged/jobs?state=failed&limit=2');
    expect(first.body.items).toHaveLength(2);
    const next = first.body.next_cursor;
    const second = await get(`/admin/queues/paged/jobs?state=failed&limit=2&cursor=${next}`);
    expect(second.body).toMatchObject({ items: [{ state: 'failed' }], next_cursor: null });
    const seen = JSON.stringify([first.body, second.body]);
    expect(seen).not.toContain('sk_live');
    expect(seen).not.toContain('verysecret');
    expect((await get(`/admin/queues/paged/jobs?state=active&cursor=${next}`)).body.code).toBe('request.cursor-invalid');
    expect((await get('/admin/queues/paged')).body.rates.failed_per_minute).toBeGreaterThan(0);
  });

  it('S2-26: retry a failed job once, however many ask, and record who did', async () => {
    const [id = ''] = await failJobs(company, mails, ['boom']);
    const answers = await Promise.all([1, 2, 3].map(() => post(`${path}/jobs/${id}/retry`, { reason: 'fixed' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect(answers.find(({ status }) => status === 200)?.body).toMatchObject({ kind: 'retry', state: 'done', job_id: id });
    expect(await (await mails.getJob(id))?.getState()).toBe('waiting');
    expect((await post(`${path}/jobs/${id}/retry`)).body).toMatchObject({ code: 'queue.job-state', state: 'waiting' });
    expect((await post(`${path}/jobs/nobody/retry`)).status).toBe(404);
    const audited = await asSuperuser<{ new_values: { state: string } }>(
      app,
      "select new_values from audit_logs where event = 'queue.retry' and new_values ->> 'state' = 'done'",
    );
    expect(audited).toHaveLength(1);
  });

  it('promote a delayed job and remove a waiting one', async () => {
    const delayed = await mails.add('later', {}, { delay: 3_600_000 });
    expect((await post(`${path}/jobs/${delayed.id}/promote`)).body).toMatchObject({ kind: 'promote', state: 'done' });
    expect(await delayed.getState()).toBe('waiting');
    expect((await post(`${path}/jobs/${delayed.id}/promote`)).body.code).toBe('queue.job-state');
    expect((await post(`${path}/jobs/${delayed.id}/remove`, { reason: 'twice' })).status).toBe(200);
    expect(await mails.getJob(delayed.id ?? '')).toBeUndefined();
  });

  it('S2-27, S2-28: are paused with reason and end, by one of several concurrent requests, and resumed', async () => {
    const body = { reason: 'mail server is down', paused_until: inOneHour() };
    const answers = await Promise.all([1, 2, 3].map(() => post(`${path}/pause`, body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('queue.already-paused');
    expect(await mails.isPaused()).toBe(true);
    const shown = await get(path);
    expect(shown.body.pause).toMatchObject({ state: 'paused', reason: body.reason, paused_by: admin.user_id });
    expect(shown.body.live.is_paused).toBe(true);
    expect((await callProven(app, admin, 'DELETE', path)).body.code).toBe('queue.already-paused');
    const resumed = await post(`${path}/resume`, { reason: 'up again' });
    expect(resumed).toMatchObject({ status: 200, body: { pause: null } });
    expect(await mails.isPaused()).toBe(false);
    expect((await post(`${path}/resume`)).body.code).toBe('queue.not-paused');
    expect((await events('mails')).filter(({ kind }) => kind === 'resume')).toMatchObject([
      { state: 'done', requested_by: admin.user_id },
    ]);
  });

  it('T-35, S2-24, S2-25: show what waits while they are paused, in counts, lists and single jobs', async () => {
    const queue = company.queue('standing');
    const added = await queue.addBulk([1, 2, 3].map((number) => ({ name: 'mail', data: { number } })));
    await queue.add('urgent', {}, { priority: 1 });
    await queue.add('later', {}, { delay: 3_600_000 });
    await register('standing');
    const before = (await get('/admin/queues/standing')).body.live;
    expect((await post('/admin/queues/standing/pause', { reason: 'full', paused_until: inOneHour() })).status).toBe(200);
    const { live } = (await get('/admin/queues/standing')).body;
    expect(live).toMatchObject({ is_paused: true, counts: before.counts });
    expect(live.counts).toMatchObject({ waiting: 3, prioritized: 1, delayed: 1 });
    expect(live.oldest_waiting_seconds).not.toBeNull();
    const firstPage = await get('/admin/queues/standing/jobs?state=waiting&limit=2');
    const rest = await get(`/admin/queues/standing/jobs?state=waiting&limit=2&cursor=${firstPage.body.next_cursor}`);
    const listed = [...firstPage.body.items, ...rest.body.items].map(({ job_id }: { job_id: string }) => job_id);
    expect(listed).toEqual(added.map(({ id }) => id));
    const { items } = (await get('/admin/queues?limit=100')).body;
    expect(items.find(({ name }: { name: string }) => name === 'standing').live.counts.waiting).toBe(3);
    expect((await post(`/admin/queues/standing/jobs/${added[0]?.id}/remove`, { reason: 'twice' })).status).toBe(200);
    expect((await get('/admin/queues/standing')).body.live.counts.waiting).toBe(2);
    expect((await post('/admin/queues/standing/resume')).status).toBe(200);
    expect((await get('/admin/queues/standing')).body.live.counts.waiting).toBe(2);
  });

  it('S2-28: are resumed even if Temporal has lost the workflow of the pause', async () => {
    const { body } = await post(`${path}/pause`, { reason: 'lost', paused_until: inOneHour() });
    const { client } = app.api.deps.temporal;
    await client.workflow.getHandle(queuePauseWorkflowId(defaultTenantId, body.id)).terminate('lost');
    expect(await post(`${path}/resume`)).toMatchObject({ status: 200, body: { pause: null } });
    expect(await mails.isPaused()).toBe(false);
  });

  it('S2-67: work although the application role owns none of BullMQ’s tables', async () => {
    const owned = await asSuperuser(
      app,
      "select 1 from pg_tables where schemaname = 'bullmq' and tableowner <> 'castellan_owner'",
    );
    expect(owned).toEqual([]);
  });
});

/** Keeps the history of the bulk retry that has just ended, to be replayed with later builds. */
async function keepBulkRetry(name: string, queue: string): Promise<void> {
  const { id } = (await get(`/admin/queues/${queue}`)).body;
  const handle = app.api.deps.temporal.client.workflow.getHandle(queueBulkRetryWorkflowId(defaultTenantId, id));
  await handle.result();
  await recordedHistories('queue-bulk-retry').record(name, await handle.fetchHistory());
}

describe('Bulk retry', () => {
  it('is previewed by error class, retries what the plan covers, and ends', async () => {
    const queue = company.queue('bulk');
    await register('bulk');
    await failJobs(company, queue, [...Array.from({ length: 6 }, (_, n) => `no route to 10.0.0.${n}`), 'other thing']);
    const preview = await get('/admin/queues/bulk/bulk-retries/preview?cap=4');
    expect(preview.body).toMatchObject({ scanned: 7, is_complete: true, would_retry: 4 });
    const [biggest] = preview.body.classes;
    expect(biggest).toMatchObject({ count: 6, error_class: 'TypeError: no route to <n>.<n>.<n>.<n>' });

    const working = company.worker('bulk', async () => 'sent');
    const plan = { reason: 'route is back', error_classes: [biggest.error_class], cap: 4, per_second: 100 };
    const started = await post('/admin/queues/bulk/bulk-retries', plan);
    expect(started).toMatchObject({ status: 202, body: { state: 'running', cap: 4 } });
    const at = started.headers.get('location') ?? '';
    const ended = await eventually(() => get(at), ({ body }) => body.state !== 'running');
    expect(ended.body).toMatchObject({
      state: 'done',
      progress: { selected: 4, retried: 4, completed: 4, failed_again: 0, new_failure_ratio: 0 },
    });
    expect(await queue.getFailedCount()).toBe(3);
    expect((await app.call('POST', `${at}/cancel`, { token: admin.token })).body.code).toBe('queue.retry-over');
    await keepBulkRetry('done', 'bulk');
    await working.close();
  });

  it('S2-58, T-16: shows no secret of an error in its preview', async () => {
    const queue = company.queue('leaky');
    await register('leaky');
    const reasons = ['mysqldump --password=hunter2sekret', 'GET https://t0kensekret@host/x', 'Authorization: Token hunter2sekret', 'card 4111 1111 1111 1111 123'];
    await failJobs(company, queue, reasons);
    const failing = company.worker('leaky', async () => {
      throw Object.assign(new Error('no'), { stack: 'sk_live_hunter2sekret: no\n    at job' });
    });
    const named = await queue.add('mail', {});
    await eventually(() => named.getState(), (state) => state === 'failed');
    await failing.close();
    const preview = await get('/admin/queues/leaky/bulk-retries/preview');
    expect(preview.body).toMatchObject({ scanned: 5, would_retry: 5 });
    expect(preview.body.classes).toHaveLength(5);
    expect(JSON.stringify(preview.body)).not.toMatch(/hunter2|t0ken|4111/);
  });

  it('stops itself when too many of the retried jobs fail again; a second one meanwhile is refused', async () => {
    const queue = company.queue('broken');
    await register('broken');
    await failJobs(company, queue, Array.from({ length: 12 }, (_, n) => `still broken ${n}`));
    const failing = company.worker('broken', async () => {
      throw new TypeError('still broken');
    });
    const plan = { reason: 'try', per_second: 3, max_new_failure_ratio: 0.2, min_samples: 3 };
    const started = await post('/admin/queues/broken/bulk-retries', plan);
    expect((await post('/admin/queues/broken/bulk-retries', plan)).body.code).toBe('queue.retry-running');
    const ended = await eventually(() => get(started.headers.get('location') ?? ''), ({ body }) => body.state !== 'running');
    expect(ended.body.state).toBe('stopped');
    expect(ended.body.progress.retried).toBeLessThan(12);
    expect(ended.body.progress.new_failure_ratio).toBe(1);
    await keepBulkRetry('stopped', 'broken');
    await failing.close();
  });
});

describe('Cancelling a bulk retry', () => {
  it('leaves the rest failed, keeps what is retried, is audited, and needs the permission but no factor', async () => {
    const queue = company.queue('halted');
    await register('halted');
    await failJobs(company, queue, Array.from({ length: 40 }, (_, n) => `out of order ${n}`));
    const working = company.worker('halted', async () => 'sent');
    const started = await post('/admin/queues/halted/bulk-retries', { reason: 'try', per_second: 1 });
    const at = started.headers.get('location') ?? '';
    await eventually(() => get(at), ({ body }) => body.progress?.retried >= 1);
    const support = await app.signIn('role-support-staff');
    const cancel = (token?: string) => app.call('POST', `${at}/cancel`, token === undefined ? {} : { token });
    expect((await cancel()).status).toBe(401);
    expect((await cancel(support.token)).status).toBe(403);
    expect((await cancel(other.admin.token)).status).toBe(404);
    expect(await cancel(admin.token)).toMatchObject({ status: 202, body: { id: started.body.id } });

    const ended = (await eventually(() => get(at), ({ body }) => body.state !== 'running')).body;
    expect(ended).toMatchObject({ state: 'cancelled', progress: { selected: 40, failed_again: 0 } });
    expect(ended.progress.retried).toBeLessThan(40);
    await eventually(() => queue.getCompletedCount(), (count) => count === ended.progress.retried);
    expect(await queue.getFailedCount()).toBe(40 - ended.progress.retried);
    expect(await cancel(admin.token)).toMatchObject({ status: 409, body: { code: 'queue.retry-over' } });
    const [entry] = await asSuperuser<{ new_values: object }>(
      app,
      "select new_values from audit_logs where event = 'queue.bulk-retry-cancel' and outcome = 'success'",
    );
    expect(entry).toMatchObject({ new_values: { event_id: started.body.id } });
    await keepBulkRetry('cancelled', 'halted');

    // The next bulk retry of the queue can start.
    const next = await post('/admin/queues/halted/bulk-retries', { reason: 'again', per_second: 100 });
    const done = await eventually(() => get(next.headers.get('location') ?? ''), ({ body }) => body.state !== 'running');
    expect(done.body.state).toBe('done');
    expect(await queue.getFailedCount()).toBe(0);
    await working.close();
  });
});

describe('Cleaning', () => {
  const cleaning = { state: 'failed', older_than_seconds: 0, reason: 'old' };

  it('removes old jobs with a factor outside of production, and reports how many', async () => {
    const queue = company.queue('stale');
    await register('stale');
    await failJobs(company, queue, ['a', 'b', 'c']);
    expect((await post('/admin/queues/stale/clean', { ...cleaning, environment: 'development' })).status).toBe(409);
    expect((await post('/admin/queues/stale/clean', { ...cleaning, environment: 'staging' })).status).toBe(200);
    const done = await eventually(
      () => get('/admin/queues/stale/events'),
      ({ body }) => body.items.some((one: { kind: string; state: string }) => one.kind === 'clean' && one.state === 'done'),
    );
    expect(done.body.items.find((one: { kind: string }) => one.kind === 'clean').details).toMatchObject({ removed: 3 });
    expect(await queue.getFailedCount()).toBe(0);
    const { id: event_id, queue_id } = done.body.items.find((one: { kind: string }) => one.kind === 'clean');
    const actor = { tenant_id: defaultTenantId, user_id: null, session_id: null, request_id: null };
    const { client } = app.api.deps.temporal;
    const handle = client.workflow.getHandle(queueCleanWorkflowId({ actor, queue_id, event_id }));
    await handle.result();
    await recordedHistories('queue-clean').record('done', await handle.fetchHistory());
  });

  it('waits for an approval in production and is then carried out', async () => {
    const queue = company.queue('live');
    await register('live', { environment: 'production' });
    await failJobs(company, queue, ['a', 'b']);
    const asked = await post('/admin/queues/live/clean', { ...cleaning, environment: 'production' });
    expect(asked.status).toBe(202);
    expect(await queue.getFailedCount()).toBe(2);
    const approver = await app.signIn('role-provider-admin');
    const { id, digest } = asked.body;
    expect((await post(`/admin/approvals/${id}/approve`, { digest }, approver)).status).toBe(200);
    await eventually(() => queue.getFailedCount(), (count) => count === 0);
    await eventually(
      () => events('live'),
      (list) => list.some(({ kind, state }) => kind === 'clean' && state === 'done'),
    );
  });
});

describe('Queues of Temporal (S2-67)', () => {
  it('show the pollers of the task queue and the executions of the own tenant only; refuse unsupported operations', async () => {
    const source_name = app.env.TEMPORAL_TASK_QUEUE;
    expect((await register('workflows', { provider: 'temporal', source_name })).status).toBe(201);
    const shown = await eventually(() => get('/admin/queues/workflows'), ({ body }) => body.live?.counts?.completed > 0);
    expect(shown.body).toMatchObject({ capabilities: ['retry'], live: { is_paused: false } });
    expect(shown.body.live.workers).toBeGreaterThan(0);
    const paused = await post('/admin/queues/workflows/pause', { reason: 'no', paused_until: inOneHour() });
    expect(paused).toMatchObject({ status: 409, body: { code: 'queue.unsupported', provider: 'temporal' } });
    expect((await get('/admin/queues/workflows/jobs?state=delayed')).body.code).toBe('queue.unsupported');
    const theirs = await callProven(app, other.admin, 'POST', '/admin/queues', {
      body: { name: 'workflows', provider: 'temporal', source_name, environment: 'staging' },
    });
    expect(theirs.status).toBe(201);
    const seen = await get('/admin/queues/workflows', other.admin);
    expect(seen.body.live.counts).toMatchObject({ active: 0, completed: 0, failed: 0 });
  });

  it('S2-26: retry a failed execution as a new run, once', async () => {
    const { temporal } = app.api.deps;
    const actor = { tenant_id: defaultTenantId, user_id: null, session_id: null, request_id: null };
    const missing = '00000000-0000-4000-8000-000000000000';
    const options = queueCleanStartOptions({ actor, queue_id: missing, event_id: missing });
    const handle = await temporal.client.workflow.start('queueCleanWorkflow', { ...options, taskQueue: temporal.taskQueue });
    await handle.result().catch(() => undefined);
    await recordedHistories('queue-clean').record('failed', await handle.fetchHistory());
    const runId = handle.firstExecutionRunId;
    const listed = await eventually(
      () => get('/admin/queues/workflows/jobs?state=failed'),
      ({ body }) => body.items.some((job: { job_id: string }) => job.job_id === runId),
    );
    const job = listed.body.items.find((one: { job_id: string }) => one.job_id === runId);
    expect(job).toMatchObject({ name: 'queueCleanWorkflow', failure: { reason: 'There is no such queue.' } });
    const retried = await post(`/admin/queues/workflows/jobs/${runId}/retry`, { mode: 'from_start' });
    expect(retried).toMatchObject({ status: 200, body: { state: 'done' } });
    expect(retried.body.details.watch_id).not.toBe(runId);
    expect((await post(`/admin/queues/workflows/jobs/${runId}/retry`)).body.code).toBe('queue.job-state');
  });
});

describe('A failed execution of Temporal, from the step that failed (S2-26, S2-67)', () => {
  it('continues with the results of the steps before it', async () => {
    const { temporal } = app.api.deps;
    const workflowId = 'evaluation-that-fails-at-its-end';
    const record = 'function record_platform_health(timestamptz, text[], double precision[], text[])';
    const failed = async () => {
      const { body } = await get('/admin/queues/workflows/jobs?state=failed');
      return body.items.find((job: { data: { workflow_id: string } }) => job.data.workflow_id === workflowId);
    };
    await asSuperuser(app, `revoke execute on ${record} from castellan_app`);
    const handle = await temporal.client.workflow.start(alertEvaluationWorkflowType, {
      workflowId,
      taskQueue: temporal.taskQueue,
      args: [],
      typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: defaultTenantId }]),
    });
    await expect(handle.result()).rejects.toThrow();
    await asSuperuser(app, `grant execute on ${record} to castellan_app`);

    const { job_id } = await eventually(failed, (job) => job !== undefined);
    expect(job_id).toBe(handle.firstExecutionRunId);
    const retried = await post(`/admin/queues/workflows/jobs/${job_id}/retry`, { mode: 'failed_step' });
    expect(retried).toMatchObject({ status: 200, body: { state: 'done', details: { mode: 'failed_step' } } });
    const again = temporal.client.workflow.getHandle(workflowId, retried.body.details.watch_id);
    await expect(again.result()).resolves.toMatchObject({ failed: 0 });

    const steps = async (runId: string) => {
      const { events } = await temporal.client.workflow.getHandle(workflowId, runId).fetchHistory();
      return (events ?? []).flatMap(({ eventId, activityTaskScheduledEventAttributes: step }) =>
        step?.activityType?.name === undefined ? [] : [`${Number(eventId)} ${step.activityType.name}`],
      );
    };
    const [before, after] = [await steps(job_id), await steps(retried.body.details.watch_id)];
    expect(before.map((step) => step.replace(/\d+ /, ''))).toEqual(['evaluateAlerts', 'closeAlertEvaluation']);
    // The first step is the event of the first run; only the step that failed was scheduled again.
    expect(after[0]).toBe(before[0]);
    expect(after.map((step) => step.replace(/\d+ /, ''))).toEqual(['evaluateAlerts', 'closeAlertEvaluation']);
    expect(after[1]).not.toBe(before[1]);
    expect((await post(`/admin/queues/workflows/jobs/${job_id}/retry`)).body.code).toBe('queue.job-state');
  });
});

describe('Access to queues', () => {
  it('needs a sign-in, the permission and a factor; queues of other tenants are hidden', async () => {
    expect((await app.call('GET', '/admin/queues')).status).toBe(401);
    const agent = await app.signIn('role-junior-agent');
    expect((await get('/admin/queues', agent)).status).toBe(403);
    const support = await app.signIn('role-support-staff');
    expect((await get(path, support)).status).toBe(200);
    const tries = ['retry', 'promote', 'remove'].map((operation) => `${path}/jobs/1/${operation}`);
    for (const at of [...tries, `${path}/pause`, `${path}/resume`, `${path}/clean`, `${path}/bulk-retries`]) {
      expect((await app.call('POST', at, { token: support.token, body: {} })).status).toBe(403);
    }
    const [failed] = await failJobs(company, mails, ['boom']);
    const bare = await app.call('POST', `${path}/jobs/${failed}/retry`, { token: admin.token });
    expect(bare.body).toMatchObject({ status: 403, code: 'mfa.required', action: 'retryFailedJob' });
    expect((await get(path, other.admin)).status).toBe(404);
  });

  it('T-14: say what is refused anyway before they ask for a factor', async () => {
    const { id } = await mails.add('waits', {});
    const refusalOf = async (at: string, body: object = {}) =>
      (await app.call('POST', `/admin/queues/${at}`, { token: admin.token, body })).body.code;
    const pause = { reason: 'x', paused_until: inOneHour() };
    const past = { ...pause, paused_until: new Date(Date.now() - 1000).toISOString() };
    expect(await refusalOf(`mails/jobs/${id}/promote`)).toBe('queue.job-state');
    expect(await refusalOf('mails/jobs/nobody/remove')).toBe('resource.not-found');
    expect(await refusalOf('mails/resume')).toBe('queue.not-paused');
    expect(await refusalOf('mails/pause', past)).toBe('request.invalid');
    expect(await refusalOf('workflows/pause', pause)).toBe('queue.unsupported');
    expect(await refusalOf('nowhere/bulk-retries', { reason: 'x' })).toBe('resource.not-found');
    expect((await post(`${path}/pause`, pause)).status).toBe(200);
    expect(await refusalOf('mails/pause', pause)).toBe('queue.already-paused');
    expect((await post(`${path}/resume`)).status).toBe(200);
  });

  it('permits a tenant to register only queues named after it, each once, and refuses bad input', async () => {
    const asOther = (source_name: string, name = 'theirs'): Promise<Answer> =>
      callProven(app, other.admin, 'POST', '/admin/queues', {
        body: { name, provider: 'bullmq', source_name, environment: 'staging' },
      });
    expect((await asOther('mails')).body.code).toBe('queue.source-refused');
    expect((await asOther(`${other.tenant_id}.mails`)).status).toBe(201);
    expect((await asOther(`${other.tenant_id}.mails`, 'again')).body.code).toBe('resource.conflict');
    expect((await register('theirs', { source_name: `${other.tenant_id}.mails` })).body.code).toBe('queue.source-refused');
    const bad = { name: 'No Name', provider: 'kafka', source_name: "x' or 1=1", environment: 'moon' };
    const pointers = (await post('/admin/queues', bad)).body.errors.map(({ pointer }: { pointer: string }) => pointer);
    expect(pointers).toEqual(expect.arrayContaining(['/name', '/provider', '/source_name', '/environment']));
    const past = { reason: 'x', paused_until: new Date(Date.now() - 1000).toISOString() };
    expect((await post(`${path}/pause`, past)).body.errors).toMatchObject([{ pointer: '/paused_until' }]);
    await register('gone');
    expect((await callProven(app, admin, 'DELETE', '/admin/queues/gone')).status).toBe(204);
    expect((await get('/admin/queues/gone')).status).toBe(404);
  });
});

describe('adminApi', () => {
  it('has the functions of S2-23..28 under their names', async () => {
    const client = createCastellanClient({ baseUrl: app.url });
    await client.signIn({ email: admin.email, password: samplePassword });
    const { adminApi } = client;
    const { items } = await adminApi.getQueues({ provider: 'bullmq' });
    expect(items.map(({ name }) => name)).toContain('mails');
    expect((await adminApi.getQueueDetails('mails')).live.is_paused).toBe(false);
    expect((await adminApi.getQueueJobs('mails', { state: 'waiting' })).items.length).toBeGreaterThan(0);
    const [failed] = (await adminApi.getQueueJobs('mails', { state: 'failed' })).items;
    const refusals = [
      adminApi.retryFailedJob('mails', failed?.job_id ?? '', {}),
      adminApi.pauseQueue('mails', { reason: 'x', paused_until: inOneHour() }),
      adminApi.resumeQueue('mails'),
    ];
    const codes = await Promise.all(refusals.map((call) => call.catch((error: unknown) => error)));
    expect(codes).toMatchObject([{ code: 'mfa.required' }, { code: 'mfa.required' }, { code: 'queue.not-paused' }]);
  });
});
