import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { onboardingChangedSignal, onboardingLinkWorkflowId } from '../../../src/workflows/onboarding/onboarding-link.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';

const base = '/api/admin/onboarding';

/** Real processes in real time: the worker is one of its own, so that it can be killed. */
let app: TestApi;
let manager: SignedIn;
let worker: ChildProcess;

beforeAll(async () => {
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  manager = await app.signIn('role-super-admin');
  worker = await startWorkerProcess(app.env);
});

afterAll(async () => {
  await killProcess(worker);
  await app.close();
});

/** A link with times of seconds, which the API does not allow: they are written into its row, and the workflow is signalled. */
async function makeLink(values: { expires_in: number; timing?: object }): Promise<string> {
  const { body } = await app.call('POST', `${base}/create-link`, {
    token: manager.token,
    body: { recipient_name: 'Ada', recipient_email: `ada-${values.expires_in}@example.com`, purpose: 'Onboarding' },
  });
  await asSuperuser(
    app,
    `update onboarding_link set expires_at = clock_timestamp() + make_interval(secs => $2), timing = timing || $3::jsonb
     where id = $1`,
    [body.id, values.expires_in, JSON.stringify(values.timing ?? {})],
  );
  const ref = { tenant_id: defaultTenantId, link_id: body.id };
  await app.api.deps.temporal.client.workflow.getHandle(onboardingLinkWorkflowId(ref)).signal(onboardingChangedSignal);
  return body.id;
}

const stored = async (id: string) => {
  const [row] = await asSuperuser<{ status: string; expires_at: Date; reminder_count: number; last_reminder_at: Date | null }>(
    app,
    'select status, expires_at, reminder_count, last_reminder_at from onboarding_link where id = $1',
    [id],
  );
  if (row === undefined) throw new Error('no such link');
  return row;
};
/** When each event of a kind was recorded, milliseconds since the epoch. */
const eventTimes = async (id: string, event: string) => {
  const rows = await asSuperuser<{ recorded_at: Date }>(
    app,
    'select recorded_at from audit_logs where resource_id = $1 and event = $2 order by seq',
    [id, `onboarding_link.${event}`],
  );
  return rows.map(({ recorded_at }) => recorded_at.getTime());
};
const expired = (id: string) => eventually(() => stored(id), ({ status }) => status === 'expired', 60_000);
const news = async (id: string) => {
  const rows = await asSuperuser(app, 'select 1 from notification_deliveries where event_key = $1', [`onboarding/${id}/expired/0`]);
  return rows.length;
};

describe('onboarding links in real time', () => {
  it('S3-55: a link expires within five seconds of its end, and its creator is notified', async () => {
    const id = await makeLink({ expires_in: 2 });
    const { expires_at } = await expired(id);
    const [at = Infinity, ...more] = await eventTimes(id, 'expire');
    expect(at - expires_at.getTime()).toBeGreaterThanOrEqual(0);
    // Five seconds with a core to run on; the sweep would have done it a minute later.
    expect(at - expires_at.getTime()).toBeLessThan(20_000);
    expect(more).toEqual([]);
    await eventually(() => news(id), (told) => told === 1);
  });

  it('S3-55: after an outage a link expires once, and one of its overdue reminders is sent', async () => {
    const intervalMs = 5_000;
    const timing = { first_reminder_seconds: 1, reminder_interval_seconds: intervalMs / 1000, max_reminders: 20 };
    await killProcess(worker);
    const [expiring, reminded] = [await makeLink({ expires_in: 1 }), await makeLink({ expires_in: 3_600, timing })];
    const back = Date.now() + 2 * intervalMs + 2_000;
    await eventually(async () => Date.now(), (now) => now > back);
    // It is displayed as expired at once, although that is not stored yet.
    expect((await stored(expiring)).status).toBe('pending');
    const shown = await app.call('GET', `${base}/link/${expiring}`, { token: manager.token });
    expect(shown.body.status).toBe('expired');
    expect((await stored(reminded)).reminder_count).toBe(0);

    worker = await startWorkerProcess(app.env);
    const first = await eventually(() => stored(reminded), ({ reminder_count }) => reminder_count > 0, 60_000);
    expect(first.reminder_count).toBe(1);
    const second = await eventually(() => stored(reminded), ({ reminder_count }) => reminder_count > 1, 60_000);
    expect(Number(second.last_reminder_at) - Number(first.last_reminder_at)).toBeGreaterThanOrEqual(intervalMs);
    await expired(expiring);
    await eventually(() => news(expiring), (told) => told === 1);
    expect(await eventTimes(expiring, 'expire')).toHaveLength(1);

    const revoked = await app.call('POST', `${base}/link/${reminded}/revoke`, { token: manager.token, body: {} });
    expect(revoked.status).toBe(200);
    const ref = { tenant_id: defaultTenantId, link_id: reminded };
    const handle = app.api.deps.temporal.client.workflow.getHandle(onboardingLinkWorkflowId(ref));
    await handle.result();
    await recordedHistories('onboarding-link').record('outage', await handle.fetchHistory());
  });
});
