import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { failJobs, redisApplication } from '../../support/servers/bullmq.ts';
import type { AppQueue, BullmqApplication } from '../../support/servers/bullmq.ts';
import { startCuttableProxy } from '../../support/servers/cuttable-proxy.ts';
import type { CuttableProxy } from '../../support/servers/cuttable-proxy.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { startRedis } from '../../support/servers/redis.ts';

const redis = await startRedis();
// Skipped where redis-server is not installed: the same provider is tested on PostgreSQL in queue.test.ts.
const withRedis = redis === null ? describe.skip : describe;

withRedis('Queues of BullMQ in Redis (S2-67; needs redis-server)', () => {
  let app: TestApi;
  let worker: RunningWorker;
  let proxy: CuttableProxy;
  let company: BullmqApplication;
  let mails: AppQueue;
  let admin: SignedIn;

  const path = '/admin/queues/mails';
  const post = (at: string, body?: unknown) => callProven(app, admin, 'POST', at, { body });
  const get = (at: string) => app.call('GET', at, { token: admin.token });
  const pauseBody = () => ({ reason: 'down', paused_until: new Date(Date.now() + 3_600_000).toISOString() });

  beforeAll(async () => {
    const port = redis?.port ?? 0;
    proxy = await startCuttableProxy({ host: '127.0.0.1', port });
    app = await startTestApi({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    worker = await startWorker(app.env, app.api.deps.log);
    company = redisApplication(`redis://127.0.0.1:${port}`);
    mails = company.queue('mails');
    admin = await app.signIn('role-super-admin');
    const registration = { name: 'mails', provider: 'bullmq', source_name: 'mails', environment: 'staging' };
    expect((await post('/admin/queues', registration)).status).toBe(201);
  });

  afterAll(async () => {
    await company?.close();
    await worker?.close();
    await app?.close();
    await proxy?.close();
    await redis?.stop();
  });

  it('S2-24..28: are read, retried once, paused and resumed like those in PostgreSQL', async () => {
    const [id = ''] = await failJobs(company, mails, ['no route to 10.0.0.1', 'no route to 10.0.0.2']);
    const failed = await get(`${path}/jobs?state=failed&limit=1`);
    expect(failed.body.items[0]).toMatchObject({ failure: { error_class: 'TypeError: no route to <n>.<n>.<n>.<n>' } });
    expect(JSON.stringify(failed.body)).not.toContain('sk_live');
    const answers = await Promise.all([1, 2].map(() => post(`${path}/jobs/${id}/retry`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    await mails.add('later', {});
    const waiting = await get(`${path}/jobs?state=waiting&limit=1`);
    expect(waiting.body.items).toMatchObject([{ job_id: id }]);
    const detail = await get(path);
    expect(detail.body.live).toMatchObject({ counts: { waiting: 2, failed: 1 }, is_paused: false, workers: 0 });
    expect((await post(`${path}/pause`, pauseBody())).status).toBe(200);
    expect(await mails.isPaused()).toBe(true);
    expect((await get(path)).body.live).toMatchObject({ is_paused: true, counts: { waiting: 2 } });
    expect((await post(`${path}/resume`)).status).toBe(200);
    expect(await mails.isPaused()).toBe(false);
  });

  it('T-35: show what waits while they are paused, also what a BullMQ before 6 has set aside', async () => {
    const halted = company.queue('halted');
    const added = await halted.addBulk([1, 2].map((number) => ({ name: 'mail', data: { number } })));
    const registration = { name: 'halted', provider: 'bullmq', source_name: 'halted', environment: 'staging' };
    expect((await post('/admin/queues', registration)).status).toBe(201);
    expect((await post('/admin/queues/halted/pause', pauseBody())).status).toBe(200);
    expect((await get('/admin/queues/halted')).body.live).toMatchObject({ is_paused: true, counts: { waiting: 2 } });
    const direct = new Redis(`redis://127.0.0.1:${redis?.port ?? 0}`);
    await direct.rename('bull:halted:wait', 'bull:halted:paused');
    const later = await halted.add('later', {});
    const shown = await get('/admin/queues/halted');
    expect(shown.body.live).toMatchObject({ is_paused: true, counts: { waiting: 3 } });
    const listed = (await get('/admin/queues/halted/jobs?state=waiting')).body.items.map(({ job_id }: { job_id: string }) => job_id);
    expect(listed).toEqual([...added, later].map(({ id }) => id));
    const health = (await get('/admin/system-health')).body.components.find(({ component }: { component: string }) => component === 'redis');
    expect(health?.status).not.toBe('not_configured');
    await direct.quit();
  });

  it('T-1: a pause that was refused because the engine did not answer does not stay in the engine', async () => {
    // The connections of both processes are there from the test before.
    proxy.holdAnswers();
    const refused = post(`${path}/pause`, pauseBody());
    // It has got the request all the same.
    await eventually(() => mails.isPaused(), (isPaused) => isPaused);
    expect(await refused).toMatchObject({ status: 503, body: { code: 'service.unavailable' } });
    // Until the engine answers, nobody is told that the queue is paused.
    expect(await post(`${path}/pause`, pauseBody())).toMatchObject({ status: 503, body: { code: 'service.unavailable' } });
    proxy.mend();
    await eventually(() => mails.isPaused(), (isPaused) => !isPaused, 60_000);
    const paused = await eventually(() => post(`${path}/pause`, pauseBody()), ({ status }) => status === 200, 60_000);
    expect(paused.body).toMatchObject({ pause: { state: 'paused' } });
    expect(await mails.isPaused()).toBe(true);
    expect((await post(`${path}/resume`)).status).toBe(200);
  });

  it('answer 503 while the engine is unavailable, change nothing, and do not affect other routes', async () => {
    const [id = ''] = await failJobs(company, mails, ['again']);
    proxy.cut();
    expect(await get(path)).toMatchObject({ status: 503, body: { code: 'service.unavailable' } });
    expect(await post(`${path}/jobs/${id}/retry`)).toMatchObject({ status: 503 });
    expect(await post(`${path}/pause`, pauseBody())).toMatchObject({ status: 503, body: { code: 'service.unavailable' } });
    const list = await get('/admin/queues');
    expect(list.status).toBe(200);
    expect(list.body.items).toContainEqual(expect.objectContaining({ name: 'mails', live: null, pause: null }));
    const [event] = (await get(`${path}/events`)).body.items;
    expect(event).toMatchObject({ kind: 'pause', state: 'failed' });
    expect((await get('/admin/feature-flags')).status).toBe(200);
    proxy.mend();
    const back = await eventually(() => get(path), ({ status }) => status === 200);
    expect(back.body.live).toMatchObject({ is_paused: false });
    expect(await (await mails.getJob(id))?.getState()).toBe('failed');
  });
});
