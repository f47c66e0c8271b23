import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createAlertActivities } from '../../../src/activities/health/alert.activities.ts';
import { createMetrics } from '../../../src/platform/observability/metrics.ts';
import { createTemporalClient } from '../../../src/platform/temporal/temporal-client.ts';
import { alertEvaluationWorkflowType } from '../../../src/workflows/health/alert-evaluation.contract.ts';
import type { AlertEvaluationResult } from '../../../src/workflows/health/alert-evaluation.contract.ts';
import { healthCollectionWorkflowType } from '../../../src/workflows/health/health-collection.contract.ts';
import type { HealthCollectionResult } from '../../../src/workflows/health/health-collection.contract.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { configDriver, shopSchema } from '../../support/drivers/config.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { startInVirtualTime } from '../../support/temporal/virtual-time.ts';
import type { VirtualTime } from '../../support/temporal/virtual-time.ts';
import { createApproval, createApprovalPayload } from '../../support/factories/approval.ts';
import { createAlertSilence } from '../../support/factories/health.ts';
import { createNotificationChannel } from '../../support/factories/notification.ts';
import { auditEvents } from '../../support/audit-events.ts';

const minute = 60_000;

/** Hours pass in moments: rounds run by the virtual clock, whose time is also in their rows. */
describe('alerts in virtual time', () => {
  let time: TestWorkflowEnvironment;
  let app: TestApi;
  let stage: VirtualTime;
  let admin: SignedIn;
  let watcher: Server;
  let pings = 0;

  beforeAll(async () => {
    watcher = createServer((_, response) => {
      pings += 1;
      response.writeHead(204).end();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => watcher.once('listening', resolve));
    const { port } = watcher.address() as AddressInfo;
    stage = await startInVirtualTime(
      { WATCHDOG_URL: `http://127.0.0.1:${port}/ping`, OUTBOUND_ALLOW: `127.0.0.1:${port}` },
      ({ env, url }) => ({ ...env, HEALTH_API_URLS: [url] }),
    );
    ({ time, app } = stage);
    admin = await app.signIn('role-super-admin');
    await createNotificationChannel(app);
  });

  afterAll(async () => {
    await stage.close();
    await new Promise((resolve) => watcher.close(resolve));
  });

  let runs = 0;
  /** With `keptAs` the history is kept, to be replayed with later builds. */
  const execute = async <Result>(workflowType: string, feature: string, keptAs?: string): Promise<Result> => {
    runs += 1;
    const { client, taskQueue } = app.api.deps.temporal;
    const handle = await client.workflow.start(workflowType, { taskQueue, workflowId: `${workflowType}-${runs}`, args: [] });
    const result = (await handle.result()) as Result;
    if (keptAs !== undefined) await recordedHistories(feature).record(keptAs, await handle.fetchHistory());
    return result;
  };
  const collect = (keptAs?: string) =>
    execute<HealthCollectionResult>(healthCollectionWorkflowType, 'health-collection', keptAs);
  const evaluate = (keptAs?: string) =>
    execute<AlertEvaluationResult>(alertEvaluationWorkflowType, 'alert-evaluation', keptAs);
  /** Lets some minutes pass and does what the two Schedules would do in them. */
  const round = async (minutes: number, keptAs?: string) => {
    await time.sleep(minutes * minute);
    const collected = await collect(keptAs === undefined ? undefined : 'round');
    return { collected, evaluated: await evaluate(keptAs) };
  };
  const configure = async (thresholds: object[]) => {
    const { version } = (await app.call('GET', '/admin/system-health/alerts', { token: admin.token })).body;
    const answer = await callProven(app, admin, 'PUT', '/admin/system-health/alerts', {
      body: { thresholds },
      headers: { 'if-match': `"${version}"` },
    });
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 200 });
  };
  const alerts = async (
    name: string,
  ): Promise<{ id: string; status: string; resolve_reason: string | null; suppressed_at: string | null }[]> =>
    (await app.call('GET', '/admin/alerts', { token: admin.token })).body.items.filter(
      (alert: { name: string }) => alert.name === name,
    );
  /** The notifications about some name, in order; a recipient gets each once. */
  const notified = async (text: string): Promise<string[]> => {
    const rows = await asSuperuser<{ event: string }>(
      app,
      "select event from notification_deliveries where subject like '%' || $1 || '%' order by created_at, event",
      [text],
    );
    return rows.map(({ event }) => event);
  };
  const toldEventually = (text: string, events: string[]) =>
    eventually(
      () => notified(text),
      (found) => found.length >= events.length,
    ).then((found) => expect(found).toEqual(events));
  const waiting = async (count: number) => {
    await asSuperuser(
      app,
      "update admin_approvals set status = 'cancelled', closed_at = now() where status = 'pending'",
    );
    for (let index = 0; index < count; index += 1) {
      const { digest } = await createApprovalPayload(app);
      await createApproval(app, { digest, requested_by: admin.user_id });
    }
  };
  const threshold = (name: string) => ({
    name,
    metric: 'approvals.pending',
    comparator: 'gt',
    threshold: 2,
    clear_threshold: 0,
  });

  beforeEach(async () => {
    await waiting(0);
  });

  it('S2-34: a new installation alerts by its default thresholds, and without a channel notifies who may configure them', async () => {
    await asSuperuser(app, "update notification_channels set events = '{approval.opened}'");
    try {
      const { version, thresholds } = (await app.call('GET', '/admin/system-health/alerts', { token: admin.token })).body;
      expect({ version, count: thresholds.length }).toEqual({ version: 0, count: 18 });
      await round(1);
      // On a slow machine the latency of the database may be one.
      const { items } = (await app.call('GET', '/admin/alerts', { token: admin.token })).body;
      expect(items.filter((alert: { metric: string }) => alert.metric !== 'database.latency_ms')).toEqual([]);
      // Nothing signs the audit chain here, so the entries of the sign-in are unsigned after a quarter of an hour.
      await round(16);
      expect(await alerts('Audit unsigned')).toMatchObject([{ status: 'firing' }]);
      const recipients = () =>
        asSuperuser<{ email: string; event: string }>(
          app,
          `select u.email, d.event from notification_deliveries d join users u on u.id = d.user_id
           where d.subject like '%Audit unsigned' and d.channel_id is null order by u.email`,
        );
      const notified = await eventually(recipients, (rows) => rows.length >= 3);
      expect(notified).toEqual(
        ['approver', 'provider', 'superadmin'].map((name) => ({ email: `${name}@agentmitra.com`, event: 'alert.firing' })),
      );
    } finally {
      await asSuperuser(app, "update notification_channels set events = '{*}'");
    }
  });

  it('S2-75: pending for half an hour, firing once, kept by unknown data and by the clear threshold, resolved once', async () => {
    await configure([{ ...threshold('Half an hour'), for_seconds: 1800, note: 'Ask the approvers.' }]);
    await waiting(3);
    await round(1);
    expect(await alerts('Half an hour')).toMatchObject([{ status: 'pending' }]);
    await round(20);
    expect(await alerts('Half an hour')).toMatchObject([{ status: 'pending' }]);
    expect(await notified('Half an hour')).toEqual([]);
    await round(11, 'fired');
    expect(await alerts('Half an hour')).toMatchObject([{ status: 'firing' }]);
    await toldEventually('Half an hour', ['alert.firing']);

    // A metric that cannot be read is unknown, with the reason, and resolves nothing. The rest of the round is not affected.
    await asSuperuser(app, 'revoke select on admin_approvals from castellan_app');
    const { collected } = await round(10);
    await asSuperuser(app, 'grant select on admin_approvals to castellan_app');
    expect(collected).toMatchObject({ tenants: 1, failed_tenants: 0 });
    const [unknown] = await asSuperuser<{ value: number | null; reason: string }>(
      app,
      "select value, reason from admin_system_health where metric = 'approvals.pending' order by at desc limit 1",
    );
    expect(unknown).toEqual({ value: null, reason: 'The probe failed (42501).' });
    expect(await alerts('Half an hour')).toMatchObject([{ status: 'firing' }]);

    await waiting(1);
    await round(10);
    expect(await alerts('Half an hour')).toMatchObject([{ status: 'firing' }]);
    await waiting(0);
    await round(1);
    await round(1);
    const [episode, ...others] = await alerts('Half an hour');
    expect([episode, others]).toMatchObject([{ status: 'resolved', resolve_reason: 'recovered' }, []]);
    await toldEventually('Half an hour', ['alert.firing', 'alert.resolved']);
    const [mail] = await asSuperuser<{ body: string }>(
      app,
      "select body from development_mails where subject like 'Firing%Half an hour'",
    );
    expect(mail?.body).toContain('Ask the approvers.');
    expect(await auditEvents(app, 'alert', episode?.id ?? '')).toEqual(['alert.fire', 'alert.resolve']);
  });

  it('a pending alert that recovers in time is deleted', async () => {
    await configure([{ ...threshold('Short'), for_seconds: 600 }]);
    await waiting(3);
    await round(1);
    expect(await alerts('Short')).toMatchObject([{ status: 'pending' }]);
    await waiting(2);
    await round(5);
    expect(await alerts('Short')).toEqual([]);
    await waiting(3);
    await round(5);
    await round(8);
    expect(await alerts('Short')).toMatchObject([{ status: 'pending' }]);
    expect(await notified('Short')).toEqual([]);
  });

  it('a silence holds notifications back, notifies its end, and then of the alerts that still fire', async () => {
    await configure([threshold('Silenced')]);
    const now = await time.currentTimeMs();
    await createAlertSilence(app, {
      owner_id: admin.user_id,
      reason: 'Silenced for the move',
      starts_at: new Date(now).toISOString(),
      ends_at: new Date(now + 60 * minute).toISOString(),
      created_at: new Date(now).toISOString(),
    });
    await waiting(3);
    await round(1);
    await waiting(0);
    await round(1);
    expect(await alerts('Silenced')).toMatchObject([{ status: 'resolved', suppressed_at: expect.any(String) }]);
    await waiting(3);
    await round(1);
    expect(await alerts('Silenced')).toMatchObject([{ status: 'firing' }, { status: 'resolved' }]);
    expect(await notified('Silenced')).toEqual([]);
    await round(60);
    await toldEventually('Silenced', ['alert.firing']);
    const lapses = () =>
      asSuperuser(app, "select user_id, channel_id from notification_deliveries where event = 'alert.silence-lapsed'");
    await eventually(lapses, (found) => found.length === 2);
    await round(1);
    expect(await lapses()).toHaveLength(2);
    expect(await notified('Silenced')).toEqual(['alert.firing']);
  });

  it('an alert whose threshold is removed is resolved, and notified', async () => {
    await configure([threshold('Removed')]);
    await waiting(3);
    await round(1);
    await toldEventually('Removed', ['alert.firing']);
    await configure([threshold('Another')]);
    await round(1);
    expect(await alerts('Removed')).toMatchObject([{ status: 'resolved', resolve_reason: 'removed' }]);
    await toldEventually('Removed', ['alert.firing', 'alert.resolved']);
  });

  it('S2-75: notifications that could not be sent are sent once by the next evaluation', async () => {
    await configure([threshold('Untold')]);
    await waiting(3);
    await time.sleep(minute);
    await collect();
    // The row is committed and nothing can be sent: the state that a worker leaves which dies in between.
    const unreachable = createTemporalClient(
      { ...app.env, TEMPORAL_ADDRESS: '127.0.0.1:1' },
      createMetrics('worker'),
      undefined,
      { maxAttempts: 1 },
    );
    const activities = createAlertActivities({ ...stage.worker.deps, temporal: unreachable });
    const at = await time.currentTimeMs();
    const page = await new MockActivityEnvironment().run(activities.evaluateAlerts, { at, after: null });
    await unreachable.close();
    expect(page).toMatchObject({ changed: expect.any(Number), failed: 1 });
    expect(await alerts('Untold')).toMatchObject([{ status: 'firing', firing_told_at: null }]);
    await Promise.all([evaluate(), evaluate()]);
    await evaluate();
    await toldEventually('Untold', ['alert.firing']);
  });

  it('collector and evaluation notify once that the other has stopped', async () => {
    const begun = new Date(await time.currentTimeMs());
    // Earlier tests skip hours between their rounds, so both have counted as stopped.
    const stops = async () => {
      const rows = await asSuperuser<{ what: string }>(
        app,
        `select payload ->> 'what' as what from notification_deliveries
         where event = 'alert.watch-stopped' and (payload ->> 'since')::timestamptz >= $1 order by created_at`,
        [begun],
      );
      return rows.map(({ what }) => what);
    };
    await round(1, 'quiet');
    await time.sleep(10 * minute);
    await evaluate('collector-stopped');
    await evaluate();
    expect(await eventually(stops, (found) => found.length > 0)).toEqual(['collection']);
    await time.sleep(10 * minute);
    await collect('evaluation-stopped');
    await collect();
    expect(await eventually(stops, (found) => found.length > 1)).toEqual(['collection', 'evaluation']);
  });

  it('a metric of the system health guards a rollout: unknown holds, good goes on, bad restores', async () => {
    // Nothing here measures certificates, so only the test writes their metric.
    const metric = 'certificates.days_left';
    const measure = (days: number, samples: number) =>
      asSuperuser(
        app,
        `select record_platform_health(now() - n * interval '1 second', array[$1], array[$2::float8], array[null])
         from generate_series(1, $3::int) n`,
        [metric, days, samples],
      );
    const guard = { name: 'certificates', source: { kind: 'health', metric }, bad_when: 'below', threshold: 14, min_samples: 3 };
    const plan = { strategy: { kind: 'all_at_once', bake_seconds: 3_600 }, guards: [guard], check_interval_seconds: 300 };
    const drive = configDriver(app, admin);
    const roll = async (limit: number) => {
      const { id } = await drive.started({ environment: 'staging', document: { limit }, plan });
      await drive.settled(id, 'running');
      return id as string;
    };
    const passUntil = (id: string, status: string) =>
      eventually(
        async () => {
          await time.sleep(10 * minute);
          return drive.deployment(id);
        },
        (deployment) => deployment.status === status,
        60_000,
      );
    const first = await drive.started({ environment: 'staging', schema: shopSchema, document: { limit: 1 } });
    await drive.settled(first.id, 'succeeded');

    const held = await roll(2);
    await passUntil(held, 'holding');
    expect((await drive.say(held, 'abort', { reason: 'nobody knows' })).status).toBe(200);
    await drive.settled(held, 'aborted');

    await measure(60, 3);
    await passUntil(await roll(3), 'succeeded');

    await measure(1, 20);
    const bad = await passUntil(await roll(4), 'restored');
    expect(bad.outcome.evidence.guards).toMatchObject([{ guard: 'certificates', verdict: 'bad', bad_when: 'below', threshold: 14 }]);
    expect((await drive.shown('staging')).running.document).toEqual({ limit: 3 });
  });

  it('every evaluation pings the external watcher, and records when that failed', async () => {
    const before = pings;
    await round(1);
    expect(pings).toBe(before + 1);
    const watchdog = async () => {
      const [row] = await asSuperuser<{ value: number }>(
        app,
        "select value from admin_system_health where metric = 'alerting.watchdog_up' order by at desc limit 1",
      );
      return row?.value;
    };
    expect(await watchdog()).toBe(1);
    watcher.removeAllListeners('request');
    watcher.on('request', (_, response) => response.writeHead(500).end());
    await round(1);
    expect(await watchdog()).toBe(0);
  });
});
