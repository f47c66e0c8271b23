import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { alertEvaluationWorkflowType } from '../../../src/workflows/health/alert-evaluation.contract.ts';
import { healthCollectionWorkflowType } from '../../../src/workflows/health/health-collection.contract.ts';
import type { HealthCollectionResult } from '../../../src/workflows/health/health-collection.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { postgresApplication } from '../../support/servers/bullmq.ts';
import { freePort } from '../../../src/dev/ports.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { quietTemporal, workflowBundlePath } from '../../support/temporal/temporal.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';
import { startInProcessWorker } from '../../support/temporal/worker-in-process.ts';
import type { InProcessWorker } from '../../support/temporal/worker-in-process.ts';
import { newAlertThreshold, newMeasurement } from '../../support/factories/health.ts';
import { insertRows } from '../../support/factories/row-insertion.ts';
import { createNotificationChannel } from '../../support/factories/notification.ts';
import { createQueue } from '../../support/factories/queue.ts';

let app: TestApi;

beforeAll(async () => {
  await quietTemporal();
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
});

afterAll(async () => {
  await app.close();
});

let runs = 0;
function start(workflowType: string) {
  runs += 1;
  const { client, taskQueue } = app.api.deps.temporal;
  return client.workflow.start(workflowType, {
    taskQueue,
    workflowId: `${workflowType}-${taskQueue}-${runs}`,
    args: [],
  });
}

describe('the health collector', () => {
  let worker: InProcessWorker;
  let other: string;

  beforeAll(async () => {
    other = `http://127.0.0.1:${await freePort()}`;
    const env = { ...app.env, HEALTH_API_URLS: [app.url, other] };
    // Without the Schedules, so that the tests start the rounds.
    worker = await startInProcessWorker(app, { env });
  });

  afterAll(async () => {
    await worker.close();
  });

  const collect = async (): Promise<HealthCollectionResult> => (await start(healthCollectionWorkflowType)).result();

  const latest = async () => {
    const rows = await asSuperuser<{ metric: string; value: number | null; reason: string | null }>(
      app,
      'select distinct on (metric) metric, value, reason from admin_system_health where resolution_seconds = 0 order by metric, at desc',
    );
    return Object.fromEntries(rows.map(({ metric, value, reason }) => [metric, reason ?? value]));
  };

  it('S2-32: measures the API, PostgreSQL and Temporal; an instance that does not answer is down, not unknown', async () => {
    await collect();
    const first = await latest();
    expect(first).toMatchObject({
      'api.up': 0,
      'api.instances_down': 1,
      'api.latency_ms': expect.any(Number),
      'api.event_loop_lag_ms': expect.any(Number),
      // There is no earlier measurement to compare with.
      'api.error_ratio': 'There is no earlier look to compare with.',
      'database.up': 1,
      'database.latency_ms': expect.any(Number),
      'database.connection_ratio': expect.any(Number),
      'database.replicas': 0,
      'temporal.up': 1,
      'temporal.latency_ms': expect.any(Number),
      'temporal.backlog': expect.any(Number),
      'temporal.pollers': 1,
      'temporal.failed_workflows': 0,
    });
    // There is neither a standby nor a certificate.
    expect(first).not.toHaveProperty(['database.replication_lag_seconds']);
    expect(first).not.toHaveProperty(['certificates.days_left']);
    expect(first['database.connections']).toBeGreaterThan(0);

    for (let index = 0; index < 10; index += 1) await app.call('GET', '/admin/system-health');
    await collect();
    const second = await latest();
    expect(second['api.requests_per_second']).toBeGreaterThan(0);
    expect(second['api.error_ratio']).toBe(0);
  });

  it('measures the age of the oldest waiting job, which shows a stalled queue; queues are measured without any threshold', async () => {
    const company = postgresApplication(app.env.DATABASE_OWNER_URL ?? '');
    try {
      const queue = company.queue('mail');
      await queue.waitUntilReady();
      await queue.addBulk([
        { name: 'one', data: {} },
        { name: 'two', data: {} },
      ]);
      await createQueue(app, { name: 'mail' });
      await createQueue(app, { name: 'workflows', provider: 'temporal', source_name: app.env.TEMPORAL_TASK_QUEUE });
      // A job must have waited for a while, and Temporal takes a while to apply a new search attribute everywhere.
      const measured = await eventually(
        async () => {
          expect(await collect()).toMatchObject({ tenants: 1, failed_tenants: 0 });
          return latest();
        },
        (found) => Number(found['queues.oldest_waiting_seconds']) > 0 && found['queues.unreachable'] === 0,
      );
      expect(measured).toMatchObject({ 'queues.waiting': 2, 'queues.failed': 0, 'queues.paused': 0 });
      expect(measured).toMatchObject({
        'integrations.failing': 0,
        'rollouts.holding': 0,
        'audit.checkpoint_lag_seconds': expect.any(Number),
      });
    } finally {
      await asSuperuser(app, 'update admin_queues set removed_at = now()');
      await company.close();
    }
  });

  it('aggregates single measurements and purges old ones, in bounded batches', async () => {
    await asSuperuser(app, 'delete from admin_system_health');
    // Three days, a measurement a minute: n at minute n, every tenth unknown.
    const thisHour = Math.floor(Date.now() / 3_600_000) * 3_600_000;
    const measurements = Array.from({ length: 72 * 60 }, (_, index) => {
      const value = index % 10 === 9 ? null : index;
      return newMeasurement({
        metric: 'database.connections',
        at: new Date(thisHour - 72 * 3_600_000 + index * 60_000).toISOString(),
        value,
        min_value: value,
        max_value: value,
        known_count: value === null ? 0 : 1,
        unknown_count: value === null ? 1 : 0,
      });
    });
    await insertRows(app, 'admin_system_health', measurements);
    // Each minute one more measurement becomes old enough to be purged.
    await eventually(collect, ({ rolled_up, purged }) => rolled_up === 0 && purged === 0, 30_000);
    const counts = await asSuperuser<{ resolution_seconds: number; rows: string; known: string; unknown: string }>(
      app,
      `select resolution_seconds, count(*) as rows, sum(known_count) as known, sum(unknown_count) as unknown
       from admin_system_health where metric = 'database.connections' and at < date_trunc('hour', now()) - interval '1 hour'
         and at >= date_trunc('hour', now()) - interval '72 hours'
       group by resolution_seconds order by resolution_seconds desc`,
    );
    expect(counts.slice(0, 2).map(({ rows, known, unknown }) => [rows, known, unknown])).toEqual([
      ['71', '3834', '426'],
      ['852', '3834', '426'],
    ]);
    // Single measurements are kept for two days.
    expect(Number(counts[2]?.rows)).toBeLessThanOrEqual(47 * 60 + 1);
    expect(Number(counts[2]?.rows)).toBeGreaterThanOrEqual(46 * 60);
    const [hour] = await asSuperuser<{ value: number; min_value: number; max_value: number }>(
      app,
      'select value, min_value, max_value from admin_system_health where resolution_seconds = 3600 order by at limit 1',
    );
    // 0 to 58 without 9, 19, … 59: the average of the known ones.
    expect(hour).toEqual({ value: 29, min_value: 0, max_value: 58 });
  });
});

describe('a worker that is killed during an evaluation', () => {
  const alertCount = 20;
  const workers: ChildProcess[] = [];

  afterAll(async () => {
    for (const worker of workers) await killProcess(worker);
  });

  it('S2-75: has sent some notifications; the next worker sends the rest, each once', async () => {
    await asSuperuser(app, "select record_platform_health(now(), '{temporal.backlog}', '{9}', '{null}')");
    await createNotificationChannel(app, { events: ['alert.firing'] });
    const backlog = { metric: 'temporal.backlog', comparator: 'gt', aggregate: 'max', window_seconds: 3600, severity: 'critical' } as const;
    const thresholds = Array.from({ length: alertCount }, (_, index) => newAlertThreshold({ name: `Backlog ${index + 1}`, ...backlog }));
    await insertRows(app, 'admin_alert_thresholds', thresholds);
    workers.push(await startWorkerProcess(app.env));
    const evaluation = await start(alertEvaluationWorkflowType);
    const notifiedCount = async () => {
      const [row] = await asSuperuser<{ notified: string }>(app, 'select count(firing_told_at) as notified from admin_alerts');
      return Number(row?.notified);
    };
    await eventually(notifiedCount, (notified) => notified > 0, 30_000);
    for (const worker of workers) await killProcess(worker);
    const notifiedBefore = await notifiedCount();
    workers.push(await startWorkerProcess(app.env));
    await evaluation.result();
    expect(notifiedBefore).toBeLessThan(alertCount);
    expect(await notifiedCount()).toBe(alertCount);
    const deliveries = () =>
      asSuperuser<{ event_key: string }>(
        app,
        "select event_key from notification_deliveries where event = 'alert.firing'",
      );
    const notified = await eventually(deliveries, (rows) => rows.length >= alertCount, 30_000);
    expect(new Set(notified.map(({ event_key }) => event_key)).size).toBe(alertCount);
    expect(notified).toHaveLength(alertCount);
    const mails = () => asSuperuser(app, "select 1 from development_mails where subject like 'Firing%'");
    await eventually(mails, (rows) => rows.length === alertCount, 30_000);
    const fired = await asSuperuser(app, "select 1 from audit_logs where event = 'alert.fire'");
    expect(fired).toHaveLength(alertCount);
  });
});
