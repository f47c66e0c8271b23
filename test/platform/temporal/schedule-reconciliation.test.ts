import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { startOwnTemporal } from '../../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../../support/temporal/own-temporal.ts';
import { killProcess, launchWorkerProcess } from '../../support/temporal/worker-process.ts';
import type { WorkerProcess } from '../../support/temporal/worker-process.ts';
import { schedules } from '../../../src/workflows/shared/schedules.ts';

/** A server that polls are served by and that refuses every call about Schedules. */
const withoutSchedules = ['frontend.enableSchedules=false'];

let temporal: OwnTemporal;
let app: TestApi;
let worker: WorkerProcess;

beforeAll(async () => {
  temporal = await startOwnTemporal(withoutSchedules);
  app = await startTestApi({ TEMPORAL_ADDRESS: temporal.address });
  worker = await launchWorkerProcess(app.env);
});

afterAll(async () => {
  await killProcess(worker.child);
  await app.close();
  await temporal.stop();
});

describe('T-26: Schedules are reconciled beside the polling', () => {
  it('a worker that cannot reconcile them polls, and says what is missing', async () => {
    const answer = await eventually(worker.readiness, (found) => found?.status === 200, 30_000);
    expect(answer?.body).toEqual({
      status: 'degraded',
      checks: { temporal: 'up', polling: 'up', invalidation: 'up', schedules: 'down' },
      missing: ['schedules not reconciled yet'],
    });
    const api = await eventually(
      () => app.call('GET', '/health/ready'),
      ({ body }) => body.checks.worker === 'up',
    );
    expect(api.body.status).toBe('ready');
  });

  it('and reconciles them when they are answered', async () => {
    await temporal.kill();
    await temporal.restart([]);
    const answer = await eventually(worker.readiness, (found) => found?.body['status'] === 'ready', 90_000);
    expect(answer?.body['missing']).toEqual([]);
    expect(worker.child.exitCode).toBeNull();
    const { schedule } = app.api.deps.temporal.client;
    const found = await Promise.all(schedules.map(({ scheduleId }) => schedule.getHandle(scheduleId).describe()));
    expect(found.map(({ scheduleId }) => scheduleId)).toEqual(schedules.map(({ scheduleId }) => scheduleId));
  });
});
