import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dashboardSections } from '../../../src/api/health/dashboard-sections.schemas.ts';
import { createCastellanClient } from '../../../src/sdk/index.ts';
import { withClient } from '../../../src/dev/bootstrap-database.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { startCountingProxy } from '../../support/servers/counting-proxy.ts';
import { createOneOfEach } from '../../support/factories/one-of-each.ts';
import { makePerson, otherTenantId } from '../../support/people.ts';
import { runProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { createApproval, createApprovalPayload } from '../../support/factories/approval.ts';
import { createConfigProposal, createConfigVersion, createDeployment } from '../../support/factories/config.ts';
import { fromNow } from '../../support/factories/defaults.ts';
import { createAlert, createAlertThreshold, createMeasurement } from '../../support/factories/health.ts';
import { createQueue } from '../../support/factories/queue.ts';

const path = '/admin/dashboard';

let app: TestApi;
let admin: SignedIn;
let support: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  [admin, support] = await Promise.all([app.signIn('role-super-admin'), app.signIn('role-support-staff')]);
  await createOneOfEach(app, admin.user_id);
  // One opens approval requests, the other can decide them.
  await app.signIn('role-super-admin', 1);
});

afterAll(async () => {
  await app.close();
});

const show = (person: SignedIn) => app.call('GET', path, { token: person.token });

describe('S2-2: getAdminDashboard', () => {
  it('is refused without a token and without the permission', async () => {
    expect((await app.call('GET', path)).status).toBe(401);
    const agent = await app.signIn('role-junior-agent');
    expect((await show(agent)).body).toMatchObject({ code: 'auth.forbidden', permission: 'dashboard:read' });
  });

  it('shows every section with its link and its age', async () => {
    const { status, body } = await show(admin);
    expect(status).toBe(200);
    expect(Object.keys(body.sections)).toEqual(dashboardSections.map(({ key }) => key));
    const { users, approvals, flags, alerts, audit } = body.sections;
    expect(users).toMatchObject({ state: 'ok', link: '/admin/users', age_seconds: 0 });
    expect(users.data.session_count).toBeGreaterThanOrEqual(3);
    expect(users.data.active_count).toBeGreaterThanOrEqual(8);
    expect(approvals.data).toMatchObject({
      pending_count: 1,
      mine_count: 0,
      items: [{ is_mine: false, action: 'flag.toggle' }],
    });
    expect(flags).toMatchObject({ state: 'ok', data: { changed_count: expect.any(Number) } });
    expect(alerts).toMatchObject({ state: 'ok', as_of: null, age_seconds: null, data: { firing_count: 0, items: [] } });
    expect(audit.data.head_sequence).toBeGreaterThan(0);
    expect(audit.data).toMatchObject({ verified_sequence: 0, verified_at: null, state: null });
  });

  it('puts approvals that wait for the caller first, however old the others are', async () => {
    const other = await app.signIn('role-super-admin', 1);
    const { digest } = await createApprovalPayload(app);
    await createApproval(app, { digest, requested_by: other.user_id });
    const { approvals } = (await show(admin)).body.sections;
    expect(approvals.data).toMatchObject({ pending_count: 2, mine_count: 1 });
    expect(
      approvals.data.items.map((item: { is_mine: boolean; requested_by: string }) => [item.is_mine, item.requested_by]),
    ).toEqual([
      [true, other.user_id],
      [false, admin.user_id],
    ]);
  });

  it('shows firing alerts, the gravest first, and when thresholds were last evaluated', async () => {
    for (const severity of ['warning', 'critical'] as const) {
      await createAlert(app, await createAlertThreshold(app, { severity }), { value: 0 });
    }
    await asSuperuser(
      app,
      "select record_platform_health(now() - interval '90 seconds', '{alerting.evaluated}', '{2}', '{null}')",
    );
    const { alerts } = (await show(admin)).body.sections;
    expect(alerts.data).toMatchObject({ firing_count: 2, items: [{ severity: 'critical' }, { severity: 'warning' }] });
    expect(alerts.age_seconds).toBeGreaterThanOrEqual(90);
  });

  it('shows running rollouts, failing integrations and the backlog of queues', async () => {
    const { id: proposal_id } = await createConfigProposal(app);
    const version = { environment: 'staging', config_version: 77, proposal_id } as const;
    const { digest } = await createConfigVersion(app, version);
    await createDeployment(app, { ...version, digest, status: 'holding' });
    await createQueue(app, { name: 'mail' });
    await asSuperuser(
      app,
      "update admin_integrations set last_sync_status = 'failed', is_enabled = true, deleted_at = null",
    );
    for (const [metric, value] of [
      ['queues.waiting', 12],
      ['queues.oldest_waiting_seconds', 95],
      ['queues.failed', 3],
    ] as const) {
      await createMeasurement(app, { tenant_id: defaultTenantId, metric, value, at: fromNow(-40) });
    }
    const { rollouts, integrations, queues } = (await show(admin)).body.sections;
    expect(rollouts.data.items).toMatchObject([{ status: 'holding', environment: 'staging', config_version: 77 }]);
    expect(integrations.data).toMatchObject({ integration_count: 1, failing_count: 1, stuck_revocation_count: 0 });
    expect(integrations.data.items).toHaveLength(1);
    expect(queues.data.queue_count).toBeGreaterThan(0);
    expect(queues.data).toMatchObject({
      paused_count: 0,
      waiting_count: 12,
      oldest_waiting_seconds: 95,
      failed_count: 3,
    });
    expect(queues.data.unreachable_count).toBeNull();
    expect(queues.age_seconds).toBeGreaterThanOrEqual(40);
  });

  it('hides sections whose permission the caller lacks', async () => {
    const { sections } = (await show(support)).body;
    expect(sections.users.state).toBe('ok');
    expect(sections.audit).toEqual({
      state: 'forbidden',
      link: '/admin/audit-logs',
      as_of: null,
      age_seconds: null,
      data: null,
    });
  });

  it('shows another tenant no data of this one', async () => {
    const outsider = await makePerson(app, otherTenantId, 'role-super-admin');
    const { sections } = (await show(outsider)).body;
    expect(sections.approvals.data).toMatchObject({ pending_count: 0, items: [] });
    expect(sections.alerts.data).toMatchObject({ firing_count: 0 });
    expect(sections.users.data).toMatchObject({ active_count: 1, session_count: 1 });
  });

  it('a section that cannot be read is unavailable, and the others are shown', async () => {
    await asSuperuser(app, 'revoke select on admin_feature_flags, admin_flag_history from castellan_app');
    try {
      const { status, body } = await show(admin);
      expect(status).toBe(200);
      expect(body.sections.flags).toMatchObject({ state: 'unavailable', data: null });
      const states = Object.entries<{ state: string }>(body.sections).flatMap(([key, { state }]) =>
        key === 'flags' ? [] : [state],
      );
      expect(new Set(states)).toEqual(new Set(['ok']));
    } finally {
      await asSuperuser(app, 'grant select on admin_feature_flags, admin_flag_history to castellan_app');
    }
    expect((await show(admin)).body.sections.flags.state).toBe('ok');
  });

  it('a section that hangs is unavailable after its time limit, and the others are shown', async () => {
    await withClient(app.database.adminUrl, async (holder) => {
      await holder.query('begin');
      await holder.query('lock table admin_flag_history in access exclusive mode');
      const { body } = await show(admin);
      expect(body.sections.flags.state).toBe('unavailable');
      expect(body.sections.audit.state).toBe('ok');
      await holder.query('rollback');
    });
  });

  it('all sections together take one round trip to the database', async () => {
    const url = new URL(app.database.appUrl);
    const proxy = await startCountingProxy({ host: url.hostname, port: Number(url.port) });
    url.port = String(proxy.port);
    const api = await app.another({ DATABASE_URL: url.href });
    const ask = () => fetch(new URL(path, api.url), { headers: { authorization: `Bearer ${admin.token}` } });
    expect((await ask()).status).toBe(200);
    const before = proxy.roundTrips();
    expect((await ask()).status).toBe(200);
    expect(proxy.roundTrips() - before).toBe(1);
    await api.close();
    await proxy.close();
  });
});

describe('the typed client', () => {
  it('has the functions of S2-2, S2-32, S2-33 and S2-34 under their names', async () => {
    const tokens = { access_token: admin.token, refresh_token: admin.refresh_token };
    const client = createCastellanClient({ baseUrl: app.url, tokens });
    const { adminApi } = client;
    expect((await adminApi.getAdminDashboard()).sections.audit.state).toBe('ok');
    expect((await adminApi.getSystemHealth()).components.length).toBeGreaterThan(0);
    expect(await adminApi.getSystemMetricsHistory({ metric: 'database.latency_ms' })).toMatchObject({
      unit: 'ms',
      points: [],
    });
    const body = { thresholds: [{ name: 'API', metric: 'api.up' as const, comparator: 'lt' as const, threshold: 1 }] };
    await expect(adminApi.configureSystemAlerts(body, { version: 0 })).rejects.toMatchObject({ code: 'mfa.required' });
    const configured = await runProven(app, admin, (proof) => adminApi.configureSystemAlerts(body, { version: 0, ...proof }));
    expect(configured).toMatchObject({ version: 1, thresholds: [{ name: 'API', clear_threshold: 1 }] });
  });
});
