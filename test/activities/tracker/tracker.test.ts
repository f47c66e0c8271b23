import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createFocusSessionActivities } from '../../../src/activities/tracker/focus-session.activities.ts';
import { createNudgeActivities } from '../../../src/activities/tracker/nudge.activities.ts';
import type { ActivityDeps } from '../../../src/activities/deps.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { timestampText } from '../../../src/domain/shared/timestamp-text.ts';
import { endFocus, pauseFocus, startFocus } from '../../../src/domain/tracker/tracker-focus.ts';
import type { FocusClock } from '../../../src/domain/tracker/tracker-focus.ts';
import { createMetrics } from '../../../src/platform/observability/metrics.ts';
import { registerSearchAttributes } from '../../../src/platform/temporal/search-attributes.ts';
import { createActivityDeps } from '../../../src/worker.ts';
import { focusSessionStartOptions, focusSessionWorkflowType } from '../../../src/workflows/tracker/focus-session.contract.ts';
import type { FocusChange, SaveFocusSession } from '../../../src/workflows/tracker/focus-session.contract.ts';
import { searchAttributes } from '../../../src/workflows/shared/search-attributes.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { samplePeople } from '../../../src/dev/sample-data.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { newTenant, newUser } from '../../support/factories/identity.ts';
import { insertRows } from '../../support/factories/row-insertion.ts';
import { newGoal } from '../../support/factories/tracker.ts';

let app: TestApi;
let deps: ActivityDeps;
const userId = samplePeople[0]?.id ?? '';

beforeAll(async () => {
  app = await startTestApi();
  deps = await createActivityDeps(app.env, app.api.deps.log, createMetrics('worker'));
  await registerSearchAttributes(deps.temporal.client, app.env.TEMPORAL_NAMESPACE, searchAttributes);
});

afterAll(async () => {
  await Promise.allSettled([deps.temporal.close(), deps.outbound.close(), deps.db.close()]);
  await app.close();
});

const saveAs = (user_id: string, session_id: number, change: FocusChange, clock: FocusClock) => {
  const actor = { tenant_id: defaultTenantId, user_id, session_id: null, request_id: null };
  const input: SaveFocusSession = { actor, session_id, user_id, change, clock, notes: null };
  return createFocusSessionActivities(deps).saveFocusSession(input);
};

describe('the focus session activity, repeated after its answer was lost', () => {
  const start = startFocus(Date.parse('2026-11-21T09:00:00Z'), 3_000_000);
  const save = (session_id: number, change: FocusChange, clock: FocusClock) => {
    return saveAs(userId, session_id, change, clock);
  };
  const audited = async () =>
    (await asSuperuser(app, "select 1 from audit_logs where event like 'focus_session.%' and resource_id = '71'")).length;

  it('saves and audits each change once', async () => {
    const begun = await save(71, 'begin', start);
    expect(await save(71, 'begin', start)).toMatchObject({ id: 71, start_time: begun.start_time });
    expect(await audited()).toBe(1);
    const paused = pauseFocus(start, start.started_at + 60_000);
    await save(71, 'pause', paused);
    await save(71, 'pause', paused);
    expect(await audited()).toBe(2);
    await expect(save(72, 'begin', start)).rejects.toMatchObject({
      type: 'focus.already-active',
      nonRetryable: true,
      details: [{ active: expect.objectContaining({ id: 71 }) }],
    });
    const ended = endFocus(paused, 'manual', start.started_at + 120_000);
    expect(await save(71, 'complete', ended)).toMatchObject({ actual_minutes: 1, ending: 'manual' });
    expect(await save(71, 'interrupt', endFocus(paused, 'interrupted', Date.now()))).toMatchObject({ ending: 'manual' });
    expect(await audited()).toBe(3);
    await expect(save(73, 'pause', paused)).rejects.toMatchObject({ type: 'resource.not-found' });
  });
});

describe('a change that was judged on a clock that is behind the row (T-1)', () => {
  const now = Date.now();
  const minute = 60_000;
  const start = startFocus(now - 40 * minute, 50 * minute);
  const person = samplePeople[4]?.id ?? '';
  const saveAt = (change: FocusChange, clock: FocusClock, at: number) => {
    const actor = { tenant_id: defaultTenantId, user_id: person, session_id: null, request_id: null };
    return createFocusSessionActivities(deps).saveFocusSession({ actor, session_id: 91, user_id: person, change, clock, at, notes: null });
  };

  it('is made to the row: a timer leaves a session that is paused or not due, and no pause is forgotten', async () => {
    await saveAt('begin', start, now - 40 * minute);
    await saveAt('pause', pauseFocus(start, now - 30 * minute), now - 30 * minute);
    // The workflow knows of no pause; its timer fires.
    const due = now + 10 * minute;
    expect(await saveAt('expire', endFocus(start, 'timer', due), due)).toMatchObject({ state: 'paused', end_time: null });
    // Nor does it when somebody resumes the session.
    const resumed = await saveAt('resume', start, now - 10 * minute);
    expect(resumed).toMatchObject({ state: 'running', paused_ms: 20 * minute, due_at: timestampText(now + 30 * minute) });
    expect(await saveAt('expire', endFocus(start, 'timer', due), due)).toMatchObject({ state: 'running', end_time: null });
    const end = now + 30 * minute;
    expect(await saveAt('expire', endFocus(start, 'timer', end), end)).toMatchObject({ ending: 'timer', end_time: resumed.due_at });
  });
});

describe('the sweep of focus sessions', () => {
  const sweep = (after = 0) => createFocusSessionActivities(deps).sweepFocusSessions({ after });
  const stateOf = async (id: number) => {
    const [row] = await asSuperuser(app, 'select ending, end_time, actual_minutes from admin_focus_sessions where id = $1', [id]);
    return row;
  };
  const person = (index: number) => samplePeople[index]?.id ?? '';

  it('ends sessions without a running workflow, at their due time or as interrupted, and leaves the others alone', async () => {
    const now = Date.now();
    const due = startFocus(now - 3_600_000, 3_000_000);
    const running = startFocus(now - 600_000, 3_000_000);
    const paused = startFocus(now - 3_600_000, 3_000_000);
    await saveAs(person(0), 81, 'begin', due);
    await saveAs(person(1), 82, 'begin', running);
    await saveAs(person(2), 83, 'begin', paused);
    await saveAs(person(2), 83, 'pause', pauseFocus(paused, now - 3_000_000));
    await saveAs(person(3), 84, 'begin', due);
    const { temporal } = deps;
    const input = {
      actor: { tenant_id: defaultTenantId, user_id: person(3), session_id: null, request_id: null },
      session_id: 84,
      duration_seconds: 3_000,
      max_pause_seconds: 3_600,
      notes: null,
    };
    const handle = await temporal.client.workflow.start(focusSessionWorkflowType, {
      ...focusSessionStartOptions(input),
      taskQueue: temporal.taskQueue,
    });

    expect(await sweep()).toEqual({ checked: 4, ended: 3, next: null });
    expect(await stateOf(81)).toMatchObject({ ending: 'timer', end_time: new Date(now - 600_000), actual_minutes: 50 });
    expect(await stateOf(82)).toMatchObject({ ending: 'interrupted', actual_minutes: 10 });
    expect(await stateOf(83)).toMatchObject({ ending: 'interrupted', actual_minutes: 10 });
    expect(await stateOf(84)).toMatchObject({ ending: null });
    expect(await sweep()).toEqual({ checked: 1, ended: 0, next: null });
    await handle.terminate('test');
    expect(await sweep(84)).toEqual({ checked: 0, ended: 0, next: null });
    const together = await Promise.all([sweep(), sweep()]);
    expect(together.map(({ ended }) => ended).toSorted()).toEqual([0, 1]);
  });
});

describe('the nudge activities', () => {
  const inActivity = <Result>(work: () => Promise<Result>): Promise<Result> =>
    new MockActivityEnvironment().run<[], Result, () => Promise<Result>>(work);

  it('page through all people and all tenants; a user who does not exist gets no nudge', async () => {
    const people = await insertRows(app, 'users', Array.from({ length: 30 }, () => newUser({ full_name: 'Page' })));
    await insertRows(app, 'admin_goals', people.map(({ id }) => newGoal({ user_id: id, week_start: '2020-01-06' })));
    await insertRows(app, 'tenants', Array.from({ length: 30 }, () => newTenant()));
    const activities = createNudgeActivities(deps);
    const page = (after: string | null) => inActivity(() => activities.nudgePeople({ tenant_id: defaultTenantId, after }));
    const first = await page(null);
    expect(first.next_after).not.toBeNull();
    expect((await page(first.next_after)).next_after).toBeNull();
    const nobody = { tenant_id: defaultTenantId, user_id: '00000000-0000-4000-8000-00000000dead' };
    expect((await activities.nudgePerson(nobody)).created).toEqual([]);
    expect(await activities.purgeNudges({ tenant_id: defaultTenantId })).toBe(0);
    const count = await inActivity(() => activities.ensureNudgeSchedules());
    expect(count).toBeGreaterThanOrEqual(31);
    expect(await inActivity(() => activities.ensureNudgeSchedules())).toBe(count);
    const tenants = await asSuperuser<{ id: string }>(app, 'select id from tenants');
    for (const { id } of tenants) await deps.temporal.client.schedule.getHandle(`nudges/${id}`).delete();
  });

  it('use the text of the rule when no model is configured', async () => {
    const body = { name: 'Acme', next_activity_at: '2026-01-01T00:00:00Z' };
    const { token } = await app.signIn('role-super-admin');
    await app.call('POST', '/api/v1/master-admin/prospects', { token, body });
    const open = { quiet_from_minute: 0, quiet_to_minute: 0 };
    await app.call('PUT', '/api/v1/master-admin/settings', { token, body: open });
    const { created } = await createNudgeActivities(deps).nudgePerson({ tenant_id: defaultTenantId, user_id: userId });
    const rows = await asSuperuser(app, 'select worded_by from admin_nudges where id = any($1)', [created]);
    expect(rows).toContainEqual({ worded_by: 'rule' });
  });
});
