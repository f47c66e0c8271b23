import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver, OpenedRequest } from '../../support/drivers/approval.ts';
import { startOwnTemporal } from '../../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../../support/temporal/own-temporal.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';
import { holdLocks, lockWaiters } from '../../support/row-locks.ts';

/**
 * Real processes that are killed, not stopped: a worker of its own and a Temporal server that keeps its state in a
 * file.
 */
let temporal: OwnTemporal;
let worker: ChildProcess;
let app: TestApi;
let admin: SignedIn;
let provider: SignedIn;
let drive: ApprovalDriver;

beforeAll(async () => {
  temporal = await startOwnTemporal();
  app = await startTestApi({ TEMPORAL_ADDRESS: temporal.address, WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorkerProcess(app.env);
  admin = await app.signIn('role-super-admin');
  provider = await app.signIn('role-provider-admin');
  drive = approvalDriver(app, admin);
});

afterAll(async () => {
  await killProcess(worker);
  await app.close();
  await temporal.stop();
});

/** Holds a lock on a flag, so that its change has begun and cannot go on. */
const hold = (key: string) => holdLocks(app, 'select 1 from admin_feature_flags where key = $1 for update', [key]);

const statusOf = async (id: string): Promise<string> => (await drive.detail(id)).status;

const approve = async (request: OpenedRequest): Promise<string> => (await drive.approve(provider, request)).body.status;

const changesOf = (key: string) =>
  asSuperuser(app, 'select version, change, approval_id from admin_flag_history where key = $1 and version > 1', [key]);

describe('recovery', () => {
  it('makes an approved change once, although worker and Temporal are killed between approval and execution', async () => {
    await drive.setPolicy({ review_window_seconds: 60, reminder_interval_seconds: 0 });
    const [begun, committed, waiting] = [
      await drive.opened('begun'),
      await drive.opened('committed'),
      await drive.opened('waiting'),
    ];
    const [holdBegun, holdCommitted] = [await hold('begun'), await hold('committed')];
    expect(await approve(begun)).toBe('approved');
    expect(await approve(committed)).toBe('approved');
    await eventually(() => lockWaiters(app), (count) => count === 2);

    await temporal.kill();
    // One change is committed while Temporal cannot take the result, the other has begun and is interrupted.
    await holdCommitted.release();
    await eventually(
      () => statusOf(committed.id),
      (status) => status === 'executed',
    );
    await killProcess(worker);
    await holdBegun.release();
    expect(await statusOf(begun.id)).toBe('approved');
    expect(await statusOf(waiting.id)).toBe('pending');
    const away = await drive.approve(provider, waiting);
    expect(away).toMatchObject({ status: 503, body: { code: 'service.unavailable' } });

    await temporal.restart();
    worker = await startWorkerProcess(app.env);
    await eventually(
      () => statusOf(begun.id),
      (status) => status === 'executed',
      90_000,
    );
    for (const [key, { id }] of [
      ['begun', begun],
      ['committed', committed],
    ] as const) {
      expect(await changesOf(key)).toEqual([{ version: 2, change: 'toggled', approval_id: id }]);
      expect(await drive.events(id)).toEqual(['opened', 'approve', 'execute']);
    }
    // The timer of the review window was set before the kill, and fires after it.
    await eventually(
      () => statusOf(waiting.id),
      (status) => status === 'expired',
      90_000,
    );
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(waiting.review_due_at));
    expect(await changesOf('waiting')).toEqual([]);
  });
});
