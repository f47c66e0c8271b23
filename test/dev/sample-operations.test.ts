import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sampleQueueName, seedSampleOperations } from '../../src/dev/sample-operations.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { callProven } from '../support/second-factor.ts';

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  await seedSampleOperations(app.env);
});

afterAll(async () => {
  await app.close();
});

const get = async (path: string) => (await app.call('GET', path, { token: admin.token })).body;
const queues = async () => (await get('/admin/queues')).items;

describe('the first look after npm start', () => {
  it('S2-23, S2-25: shows a real queue with jobs that wait and jobs that failed, and the task queue', async () => {
    expect(await queues()).toMatchObject([
      { name: sampleQueueName, provider: 'bullmq', live: { counts: { waiting: 2, failed: 3, active: 0 } } },
      { name: 'workflows', provider: 'temporal', source_name: app.env.TEMPORAL_TASK_QUEUE },
    ]);
    const failed = await get(`/admin/queues/${sampleQueueName}/jobs?state=failed`);
    expect(failed.items).toHaveLength(3);
    expect(failed.items[0]).toMatchObject({ name: 'welcome', state: 'failed', failure: { error_class: expect.any(String) } });
  });

  it('S2-17: shows integrations that make sense without a network, with what they have sent', async () => {
    const { items } = await get('/admin/integrations');
    expect(items.map(({ name }: { name: string }) => name).sort()).toEqual(['Payment events', 'Website leads']);
    const payments = items.find(({ name }: { name: string }) => name === 'Payment events');
    expect(payments).toMatchObject({ kind: 'webhook_source', is_enabled: true, webhook_url: expect.any(String) });
    expect((await get(`/admin/integrations/${payments.id}/records`)).items).toHaveLength(2);
  });

  it('stays as people left it at the second start', async () => {
    const path = `/admin/queues/${sampleQueueName}`;
    const failed = await get(`${path}/jobs?state=failed`);
    const retried = await callProven(app, admin, 'POST', `${path}/jobs/${failed.items[0].job_id}/retry`, { body: {} });
    expect({ status: retried.status, body: retried.body }).toMatchObject({ status: 200 });
    await callProven(app, admin, 'DELETE', '/admin/queues/workflows');
    const before = await queues();
    expect(before).toMatchObject([{ name: sampleQueueName, live: { counts: { waiting: 3, failed: 2 } } }]);
    await seedSampleOperations(app.env);
    const [{ live, ...queue }, ...others] = await queues();
    expect([queue, others]).toMatchObject([{ name: sampleQueueName }, []]);
    expect(live.counts).toEqual(before[0].live.counts);
    expect((await get('/admin/integrations')).items).toHaveLength(2);
  });

  it('is refused in production', async () => {
    await expect(seedSampleOperations({ ...app.env, NODE_ENV: 'production' })).rejects.toThrow('production');
  });
});
