import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { HealthResolution } from '../../../src/domain/health/health-history.ts';
import { isHealthMetric } from '../../../src/domain/health/health-metric.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { makePerson, otherTenantId, secondTenant } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { createMeasurement } from '../../support/factories/health.ts';
import { auditEvents } from '../../support/audit-events.ts';

const base = '/admin/system-health';

/** A threshold in an answer. */
type AnyThreshold = Readonly<Record<string, unknown>>;

const minute = 60_000;
const day = 24 * 60 * minute;

let app: TestApi;
let admin: SignedIn;
let reader: SignedIn;
let agent: SignedIn;
let outsider: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  [admin, reader, agent] = await Promise.all([
    app.signIn('role-super-admin'),
    app.signIn('role-support-staff'),
    app.signIn('role-junior-agent'),
  ]);
  outsider = await makePerson(app, otherTenantId, 'role-super-admin');
});

afterAll(async () => {
  await app.close();
});

const get = (person: SignedIn, path: string) => app.call('GET', path, { token: person.token });

/** Replaces the thresholds on top of a version; the newest when none is given. */
async function configure(thresholds: unknown, version?: number, person = admin): Promise<Answer> {
  const current = version ?? (await get(person, `${base}/alerts`)).body.version;
  return callProven(app, person, 'PUT', `${base}/alerts`, {
    body: { thresholds },
    headers: { 'if-match': `"${current}"` },
  });
}

const backlog = { name: 'Backlog', metric: 'temporal.backlog', comparator: 'gt', threshold: 100 };

/** Writes measurements of the platform as the collector does. */
const measure = (metric: string, at: number, value: number | null, reason: string | null = null) =>
  asSuperuser(app, 'select record_platform_health($1, $2, $3, $4)', [new Date(at), [metric], [value], [reason]]);

describe('X-18, U-26: Redis', () => {
  it('is not configured where PostgreSQL keeps the queues, and counts for nothing', async () => {
    const { body } = await get(reader, base);
    const redis = body.components.find(({ component }: { component: string }) => component === 'redis');
    expect(redis).toEqual({
      component: 'redis',
      scope: 'platform',
      status: 'not_configured',
      reason: 'REDIS_URL is not set; PostgreSQL keeps the queues.',
      metrics: [],
    });
    expect(body.status).not.toBe('not_configured');
  });
});

describe('S2-32: getSystemHealth', () => {
  it('is unknown before anything was measured, but for the worker, which is missing', async () => {
    const statesOf = ({ body }: Answer): [string, string][] =>
      body.components.map(({ component, status }: { component: string; status: string }) => [component, status]);
    // On a busy machine Temporal may not tell in time who polls it, and is then shown as down.
    const shown = await eventually(
      () => get(reader, base),
      (answer) => !statesOf(answer).some(([component, state]) => component === 'temporal' && state === 'down'),
    );
    expect(shown).toMatchObject({ status: 200, body: { status: 'down', measured_at: null, evaluated_at: null, alerts: [] } });
    expect(statesOf(shown)).toEqual([
      ['api', 'unknown'],
      ['database', 'unknown'],
      ['temporal', 'unknown'],
      ['worker', 'down'],
      ['redis', 'not_configured'],
      ['alerting', 'unknown'],
    ]);
  });

  it('reports alerting as down when it has run and stopped, however long ago', async () => {
    await measure('alerting.evaluated', Date.now() - day, 3);
    const { body } = await get(reader, base);
    const alerting = body.components.find(({ component }: { component: string }) => component === 'alerting');
    expect(alerting).toMatchObject({ status: 'down', reason: expect.stringContaining('five minutes') });
    expect(body.status).toBe('down');
  });

  it('shows every component as last measured, and why one could not be measured', async () => {
    const now = Date.now();
    await measure('api.up', now - 2 * minute, 0);
    await measure('api.up', now - minute, 1);
    await measure('database.up', now - minute, 1);
    await measure('database.latency_ms', now - minute, null, 'The probe failed (57014).');
    await measure('temporal.up', now - minute, 0);
    await measure('alerting.evaluated', now - minute, 3);
    const { body } = await get(reader, base);
    expect(body).toMatchObject({ status: 'down', age_seconds: expect.any(Number) });
    const of = (name: string) => body.components.find(({ component }: { component: string }) => component === name);
    expect(of('api')).toMatchObject({
      status: 'up',
      reason: null,
      metrics: [{ metric: 'api.up', value: 1, unit: 'up' }],
    });
    expect(of('database')).toMatchObject({ status: 'unknown', reason: 'The probe failed (57014).' });
    expect(of('temporal')).toMatchObject({ status: 'down' });
    expect(of('alerting')).toMatchObject({ status: 'up' });
  });

  it('shows another tenant the platform, and no data of this tenant', async () => {
    await createMeasurement(app, { tenant_id: defaultTenantId, metric: 'approvals.pending', value: 7 });
    const names = async (person: SignedIn) =>
      (await get(person, base)).body.components.map(({ component }: { component: string }) => component);
    expect(await names(admin)).toContain('approvals');
    expect(await names(outsider)).toContain('api');
    expect(await names(outsider)).not.toContain('approvals');
    const history = await get(outsider, `${base}/metrics?metric=approvals.pending`);
    expect(history.body.points).toEqual([]);
  });

  it('is refused without a token and without the permission', async () => {
    for (const path of [
      base,
      `${base}/metrics?metric=api.up`,
      `${base}/alerts`,
      '/admin/alerts',
      '/admin/alert-silences',
    ]) {
      expect((await app.call('GET', path)).status).toBe(401);
      expect((await get(agent, path)).status).toBe(403);
    }
  });
});

describe('S2-33: getSystemMetricsHistory', () => {
  it('joins hourly, five-minute and single measurements without gap or overlap', async () => {
    const now = Date.now();
    const hour = Math.floor(now / 3_600_000) * 3_600_000;
    const row = (resolution_seconds: HealthResolution, at: number, value: number) =>
      createMeasurement(app, {
        metric: 'database.connections',
        resolution_seconds,
        at: new Date(at).toISOString(),
        value,
        min_value: value,
        max_value: value,
        known_count: 5,
        unknown_count: 1,
      });
    for (const [resolution, ago, value] of [
      [3600, 40 * day, 10],
      [300, 10 * day, 20],
      [0, 6 * 60 * minute, 30],
      // These are rolled up as well: each time is read from one resolution only.
      [3600, 10 * day, 99],
      [300, 6 * 60 * minute, 99],
    ] as const) {
      await row(resolution, hour - ago, value);
    }
    const from = new Date(hour - 50 * day).toISOString();
    const { body } = await get(reader, `${base}/metrics?metric=database.connections&from=${from}&step=86400`);
    expect(body).toMatchObject({ metric: 'database.connections', unit: 'count', step_seconds: 86_400 });
    expect(body.points.map(({ avg }: { avg: number }) => avg)).toEqual([10, 20, 30]);
    expect(body.points[0]).toMatchObject({ min: 10, max: 10, known_count: 5, unknown_count: 1 });
  });

  it('weights aggregated averages, and shows unknown as unknown', async () => {
    const start = Math.floor(Date.now() / 600_000) * 600_000 - 1_200_000;
    for (const [offset, value] of [
      [0, 1],
      [1, 3],
      [2, null],
    ] as const) {
      await measure('temporal.pollers', start + offset * minute, value, value === null ? 'away' : null);
    }
    await measure('temporal.pollers', start + 5 * minute, null, 'away');
    const span = `from=${new Date(start).toISOString()}&to=${new Date(start + 10 * minute).toISOString()}`;
    const { body } = await get(reader, `${base}/metrics?metric=temporal.pollers&${span}&step=300`);
    expect(body.points).toEqual([
      { at: expect.any(String), avg: 2, min: 1, max: 3, known_count: 2, unknown_count: 1 },
      { at: expect.any(String), avg: null, min: null, max: null, known_count: 0, unknown_count: 1 },
    ]);
  });

  it.each([
    ['an unknown metric', 'metric=database.mood', '/query/metric'],
    ['no metric', '', '/query/metric'],
    ['an end before the beginning', 'metric=api.up&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', '/query/from'],
    ['too many steps', 'metric=api.up&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&step=60', '/query/step'],
    ['a span of years', 'metric=api.up&from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&step=604800', '/query/from'],
    ['a step of a second', 'metric=api.up&step=1', '/query/step'],
  ])('refuses %s', async (_, query, pointer) => {
    const { status, body } = await get(reader, `${base}/metrics?${query}`);
    expect({ status, pointer: body.errors?.[0]?.pointer }).toEqual({ status: 422, pointer });
  });
});

describe('S2-34: the default thresholds of a tenant', () => {
  const names = (body: { thresholds: { name: string }[] }) => body.thresholds.map(({ name }) => name);

  it('watch the platform in the default tenant, and its own components in every new tenant', async () => {
    const { body: ours } = await get(admin, `${base}/alerts`);
    expect(ours).toMatchObject({ version: 0, updated_at: null });
    expect(names(ours)).toEqual(expect.arrayContaining(['Database connections', 'Task queue backlog', 'Failed workflows']));
    const { admin: boss } = await secondTenant(app);
    const { body: theirs } = await app.call('GET', `${base}/alerts`, { token: boss.token });
    expect(names(theirs)).toEqual([
      'Audit damaged',
      'Audit unsigned',
      'Integration failing',
      'Notifications given up',
      'Old key not revoked',
      'Queue engine away',
      'Queue stalled',
      'Rollout waits',
      'Service token expires',
    ]);
    expect(names(ours)).toEqual(expect.arrayContaining(names(theirs)));

    // The answer can be sent back as input: one changed, one switched off, the others left out.
    const settings = theirs.thresholds
      .slice(1, 3)
      .map(({ id: _id, state: _state, since: _since, observed: _observed, is_silenced: _silenced, ...setting }: AnyThreshold) => setting);
    const changed = [{ ...settings[0], threshold: 3600 }, { ...settings[1], is_enabled: false }];
    const answer = await callProven(app, boss, 'PUT', `${base}/alerts`, {
      body: { thresholds: changed },
      headers: { 'if-match': '"0"' },
    });
    expect(answer).toMatchObject({ status: 200, body: { version: 1, thresholds: changed } });
  });

  it('name existing metrics, and have a note of what to do', async () => {
    const { thresholds } = (await get(admin, `${base}/alerts`)).body;
    expect(thresholds).toHaveLength(18);
    for (const { metric, note } of thresholds) expect({ metric, note }).toEqual({ metric: expect.stringMatching(/^[a-z]/), note: expect.any(String) });
    expect(thresholds.every(({ metric }: { metric: string }) => isHealthMetric(metric))).toBe(true);
  });
});

describe('S2-34: configureSystemAlerts', () => {
  it('needs a second factor, the permission and the version that was read', async () => {
    const body = { thresholds: [backlog] };
    expect((await app.call('PUT', `${base}/alerts`, { body })).status).toBe(401);
    expect((await app.call('PUT', `${base}/alerts`, { body, token: reader.token })).body.code).toBe('auth.forbidden');
    const bare = await app.call('PUT', `${base}/alerts`, { body, token: admin.token });
    expect(bare.body.code).toBe('resource.version-required');
    const headers = { 'if-match': '"0"' };
    expect((await app.call('PUT', `${base}/alerts`, { body, headers, token: admin.token })).body.code).toBe(
      'mfa.required',
    );
    expect((await configure([backlog], 7)).body).toMatchObject({
      code: 'resource.version-mismatch',
      current_version: 0,
    });
  });

  it('replaces the set: a threshold that keeps name and metric keeps its id, one that is left out is removed', async () => {
    const first = await configure([backlog, { ...backlog, name: 'Other' }], 0);
    expect(first.status).toBe(200);
    expect(first.headers.get('etag')).toBe('"1"');
    const [kept] = first.body.thresholds;
    expect(kept).toMatchObject({
      name: 'Backlog',
      clear_threshold: 100,
      for_seconds: 0,
      state: 'quiet',
      observed: null,
    });
    const second = await configure([
      { ...backlog, threshold: 200, clear_threshold: 50, for_seconds: 300 },
      { ...backlog, name: 'Age', metric: 'temporal.backlog_age_seconds' },
    ]);
    expect(second.body.thresholds.map(({ name }: { name: string }) => name)).toEqual(['Age', 'Backlog']);
    expect(second.body.thresholds[1]).toMatchObject({
      id: kept.id,
      threshold: 200,
      clear_threshold: 50,
      for_seconds: 300,
    });
    expect((await get(admin, `${base}/alerts`)).body).toEqual(second.body);
    const [entry] = await asSuperuser<{ new_values: { version: number } }>(
      app,
      "select new_values from audit_logs where event = 'alert_threshold.replace' order by seq desc limit 1",
    );
    expect(entry?.new_values).toMatchObject({ version: 2 });
  });

  it('accepts one of several parallel changes, and refuses the others as stale', async () => {
    const { version } = (await get(admin, `${base}/alerts`)).body;
    const answers = await Promise.all([1, 2, 3].map((threshold) => configure([{ ...backlog, threshold }], version)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
    expect((await get(admin, `${base}/alerts`)).body.version).toBe(version + 1);
  });

  it('belongs to the tenant', async () => {
    const untouched = (await get(outsider, `${base}/alerts`)).body;
    expect(untouched).toMatchObject({ version: 0, updated_at: null, updated_by: null });
    expect(untouched.thresholds).not.toContainEqual(expect.objectContaining({ name: backlog.name }));
    const channel = await callProven(app, admin, 'POST', '/admin/notifications/channels', {
      body: { kind: 'email', name: 'On call', email: 'oncall@example.com', events: ['alert.firing'] },
    });
    const { id } = channel.body;
    expect((await configure([{ ...backlog, channel_ids: [id] }])).status).toBe(200);
    const proofless = await app.call('PUT', `${base}/alerts`, {
      token: outsider.token,
      headers: { 'if-match': '"0"' },
      body: { thresholds: [{ ...backlog, channel_ids: [id] }] },
    });
    // What is refused anyway is refused before the factor (T-14).
    expect(proofless.body.code).toBe('request.invalid');
    const theirs = await callProven(app, outsider, 'PUT', `${base}/alerts`, {
      headers: { 'if-match': '"0"' },
      body: { thresholds: [{ ...backlog, channel_ids: [id] }] },
    });
    expect(theirs).toMatchObject({ status: 422, body: { errors: [{ pointer: '/thresholds/0/channel_ids/0' }] } });
  });

  it.each([
    ['a clear threshold on the bad side', { ...backlog, clear_threshold: 101 }, '/thresholds/0/clear_threshold'],
    ['an unknown metric', { ...backlog, metric: 'moon.phase' }, '/thresholds/0/metric'],
    ['an unknown comparator', { ...backlog, comparator: 'eq' }, '/thresholds/0/comparator'],
    ['a window shorter than two rounds', { ...backlog, window_seconds: 60 }, '/thresholds/0/window_seconds'],
    ['a number that is none', { ...backlog, threshold: '100' }, '/thresholds/0/threshold'],
    ['an unknown field', { ...backlog, colour: 'red' }, '/thresholds/0/colour'],
    ['an unknown channel', { ...backlog, channel_ids: [crypto.randomUUID()] }, '/thresholds/0/channel_ids/0'],
  ])('refuses %s', async (_, threshold, pointer) => {
    const { status, body } = await configure([threshold]);
    expect({ status, pointer: body.errors?.[0]?.pointer }).toEqual({ status: 422, pointer });
  });

  it('refuses the same name twice', async () => {
    expect((await configure([backlog, backlog])).body.errors).toMatchObject([{ pointer: '/thresholds/1/name' }]);
  });
});

describe('silences of alerts', () => {
  const path = '/admin/alert-silences';
  const hence = (ms: number) => new Date(Date.now() + ms).toISOString();
  const silence = (body: object, person = admin) => callProven(app, person, 'POST', path, { body });

  it('have an owner, a reason and an end', async () => {
    const made = await silence({ reason: 'Maintenance of the database', ends_at: hence(60 * minute) });
    expect(made).toMatchObject({
      status: 201,
      body: { owner_id: admin.user_id, threshold_id: null, version: 1, lapse_told_at: null },
    });
    expect((await get(reader, `${path}/${made.body.id}`)).body).toEqual(made.body);
    expect((await get(reader, `${path}?is_open=true`)).body.items).toMatchObject([{ id: made.body.id }]);
    expect((await get(outsider, `${path}/${made.body.id}`)).status).toBe(404);
    const {
      body: { thresholds },
    } = await get(admin, `${base}/alerts`);
    expect(thresholds).toMatchObject([{ is_silenced: true }]);
  });

  it('are changed on the version that was read, and end once', async () => {
    const { body } = await silence({ reason: 'Move', ends_at: hence(60 * minute) });
    const patch = (change: object, version: number) =>
      callProven(app, admin, 'PATCH', `${path}/${body.id}`, { body: change, headers: { 'if-match': `"${version}"` } });
    expect((await patch({ ends_at: hence(90 * minute) }, 1)).body).toMatchObject({ version: 2, reason: 'Move' });
    expect((await patch({ reason: 'Again' }, 1)).body.code).toBe('resource.version-mismatch');
    expect((await patch({}, 2)).status).toBe(422);
    const end = () => callProven(app, admin, 'DELETE', `${path}/${body.id}`);
    expect((await end()).status).toBe(204);
    expect((await end()).status).toBe(204);
    expect((await get(admin, `${path}/${body.id}`)).body).toMatchObject({ ended_by: admin.user_id, version: 3 });
    expect((await patch({ reason: 'Too late' }, 3)).body.code).toBe('resource.conflict');
    expect(await auditEvents(app, 'alert_silence', body.id)).toEqual([
      'alert_silence.create',
      'alert_silence.update',
      'alert_silence.end',
    ]);
  });

  it('are refused with an end in the past or too far ahead, an unknown threshold, or no reason', async () => {
    for (const ends_at of [hence(-minute), hence(31 * day)]) {
      expect((await silence({ reason: 'x', ends_at })).body.errors).toMatchObject([{ pointer: '/ends_at' }]);
    }
    const threshold_id = crypto.randomUUID();
    const unknown = await silence({ reason: 'x', threshold_id, ends_at: hence(minute) });
    expect(unknown).toMatchObject({ status: 422, body: { errors: [{ pointer: '/threshold_id' }] } });
    expect((await silence({ ends_at: hence(minute) })).body.errors).toMatchObject([{ pointer: '/reason' }]);
    const asReader = await app.call('POST', path, {
      token: reader.token,
      body: { reason: 'x', ends_at: hence(minute) },
    });
    expect(asReader.status).toBe(403);
  });
});
