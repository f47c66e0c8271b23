import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Client } from 'pg';
import { addDays, localTime, weekStartOf } from '../../../src/domain/tracker/tracker-calendar.ts';
import { dailyScore } from '../../../src/domain/tracker/tracker-scoring.ts';
import { freshStreaks } from '../../../src/domain/tracker/tracker-streak.ts';
import { activityText } from '../../../src/entities/tracker/activity.entity.ts';
import { goalText } from '../../../src/entities/tracker/goal.entity.ts';
import { scoreText } from '../../../src/entities/tracker/score.entity.ts';
import { systemRoles } from '../../../src/domain/identity/system-roles.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { createGoal } from '../../support/factories/tracker.ts';

const base = '/api/v1/master-admin';

let app: TestApi;
let admin: Client;
let me: SignedIn;
let other: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = new Client({ connectionString: app.database.adminUrl });
  await admin.connect();
  me = await app.signIn('role-super-admin');
  other = await app.signIn('role-super-admin', 1);
});

afterAll(async () => {
  await admin.end();
  await app.close();
});

const as = (person: SignedIn) => (method: string, path: string, body?: unknown): Promise<Answer> =>
  app.call(method, `${base}${path}`, { token: person.token, body });
const mine = (method: string, path: string, body?: unknown) => as(me)(method, path, body);

const today = () => localTime(Date.now(), 'UTC').day;

async function setZone(person: SignedIn, time_zone: string | null): Promise<void> {
  const answer = await app.call('PUT', '/users/me/preferences', { token: person.token, body: { time_zone } });
  expect(answer.status).toBe(200);
}

async function clear(person: SignedIn): Promise<void> {
  for (const table of ['activities', 'scores', 'goals', 'tracker_settings', 'tracker_vacations']) {
    await admin.query(`delete from admin_${table} where user_id = $1`, [person.user_id]);
  }
}

describe('S0-64: the tests that the requirements name', () => {
  beforeAll(() => clear(me));

  it('test_create_admin_goal', async () => {
    const answer = await mine('POST', '/goals', { week_start: '2025-11-01', target_discoveries: 10, target_emails: 20 });
    expect(answer.status).toBe(201);
    expect(Number.isInteger(answer.body.id)).toBe(true);
    expect(answer.body).toMatchObject({
      user_id: me.user_id,
      week_start: '2025-11-01',
      target_discoveries: 10,
      target_emails: 20,
      target_videos: 0,
      target_calls: 0,
    });
    expect(goalText(answer.body)).toBe(`<AdminGoal(id=${answer.body.id}, user_id=${me.user_id}, week=2025-11-01)>`);
  });

  it('test_admin_goal_unique_constraint', async () => {
    expect((await mine('POST', '/goals', { week_start: '2025-11-01' })).status).toBe(409);
    expect((await as(other)('POST', '/goals', { week_start: '2025-11-01' })).status).toBe(201);
    const insert = createGoal(app, { user_id: me.user_id, week_start: '2025-11-01' });
    await expect(insert).rejects.toMatchObject({ code: '23505', constraint: 'uq_user_week' });
  });

  it('test_create_activity', async () => {
    const answer = await mine('POST', '/activities', { type: 'discovery', status: 'done', date: '2025-11-01', amount: 1 });
    expect(answer.body).toMatchObject({ type: 'discovery', status: 'done', date: '2025-11-01', amount: 1, notes: null });
    expect(activityText(answer.body)).toBe(`<AdminActivity(id=${answer.body.id}, type=discovery, date=2025-11-01)>`);
  });

  it('test_calculate_daily_score', async () => {
    await mine('POST', '/activities', { type: 'discovery', status: 'done', date: '2025-11-03', amount: 2 });
    await mine('POST', '/activities', { type: 'email', status: 'done', date: '2025-11-03', amount: 3 });
    const { rows } = await admin.query(
      "select id, date::text, score, activities_count from admin_scores where user_id = $1 and date = '2025-11-03'",
      [me.user_id],
    );
    expect(rows).toEqual([{ id: rows[0].id, date: '2025-11-03', score: 35, activities_count: 2 }]);
    expect(scoreText(rows[0])).toBe(`<AdminScore(id=${rows[0].id}, date=2025-11-03, score=35)>`);
  });

  it('test_create_activity_endpoint', async () => {
    const answer = await mine('POST', '/activities', { type: 'call', status: 'pending', date: today() });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ type: 'call', status: 'pending' });
  });

  it('test_get_today_activities_endpoint', async () => {
    await setZone(me, 'UTC');
    await mine('POST', '/activities', { type: 'email', status: 'done', date: today() });
    const answer = await mine('GET', '/activities/today');
    expect(answer.status).toBe(200);
    expect(answer.body[0]).toMatchObject({ type: 'email', amount: 1 });
  });
});

describe('access to the tracker (S0-60..63)', () => {
  it('S0-62, S0-66: requests without a token get 401, on both paths of the dashboard too', async () => {
    for (const path of ['/api/master-admin/dashboard', `${base}/dashboard`, `${base}/goals`, `${base}/activities/today`]) {
      expect((await app.call('GET', path)).status).toBe(401);
    }
  });

  it.each(systemRoles.map(({ code }) => code))('S0-61, U-8: %s keeps a tracker of their own, unless they are a customer', async (role) => {
    const person = await app.signIn(role);
    const isStaff = role !== 'role-policyholder';
    expect((await as(person)('GET', '/goals')).status).toBe(isStaff ? 200 : 403);
    const logged = await as(person)('POST', '/activities', { type: 'call', status: 'done', date: '2025-11-01' });
    expect(logged.status).toBe(isStaff ? 201 : 403);
    if (isStaff) expect((await as(other)('GET', `/activities/${logged.body.id}`)).status).toBe(404);
  });

  it.each(['role-senior-agent', 'role-junior-agent', 'role-support-staff'] as const)('U-8: %s does not change the pipelines that all share', async (role) => {
    const person = await app.signIn(role);
    const stages = [{ name: 'Lead', probability: 10 }];
    const mayNot = { status: 403, body: { permission: 'pipeline:manage' } };
    expect(await as(person)('POST', '/pipelines', { name: `Of ${role}`, stages })).toMatchObject(mayNot);
    const { body: shared } = await mine('POST', '/pipelines', { name: `Shared with ${role}`, stages });
    expect((await as(person)('GET', `/pipelines/${shared.id}`)).status).toBe(200);
    expect(await as(person)('POST', `/pipelines/${shared.id}/stages`, { name: 'Mine', probability: 1 })).toMatchObject(mayNot);
    expect(await as(person)('DELETE', `/pipelines/${shared.id}`)).toMatchObject(mayNot);
  });

  it('S0-63: rows of another master admin are answered 404', async () => {
    const goal = await mine('POST', '/goals', { week_start: '2024-01-01' });
    const activity = await mine('POST', '/activities', { type: 'call', status: 'done', date: '2024-01-01' });
    for (const path of [`/goals/${goal.body.id}`, `/goals/${goal.body.id}/progress`, `/activities/${activity.body.id}`]) {
      expect((await mine('GET', path)).status).toBe(200);
      expect((await as(other)('GET', path)).status).toBe(404);
    }
    expect((await as(other)('PUT', `/goals/${goal.body.id}`, { target_calls: 1 })).status).toBe(404);
    expect((await as(other)('PUT', `/activities/${activity.body.id}`, { notes: 'mine now' })).status).toBe(404);
    expect((await as(other)('DELETE', `/goals/${goal.body.id}`)).status).toBe(404);
    expect((await as(other)('DELETE', `/activities/${activity.body.id}`)).status).toBe(404);
  });
});

describe('goals', () => {
  beforeAll(() => clear(me));

  it('S0-26, S0-90: refuses negative targets, unknown fields and invalid dates, with a pointer for each', async () => {
    const answer = await mine('POST', '/goals', { week_start: '2025-02-30', target_calls: -1, user_id: other.user_id });
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer).sort()).toEqual([
      '/target_calls',
      '/user_id',
      '/week_start',
    ]);
  });

  it('S0-76: stores any date as given, or moves it back on request', async () => {
    const monday = await app.call('POST', `${base}/goals?normalize=monday`, {
      token: me.token,
      body: { week_start: '2025-11-01' },
    });
    expect(monday.body.week_start).toBe('2025-10-27');
    await app.call('PUT', '/users/me/preferences', { token: me.token, body: { week_start: 'sunday' } });
    const sunday = await app.call('POST', `${base}/goals?normalize=week_start`, {
      token: me.token,
      body: { week_start: '2025-11-15' },
    });
    expect(sunday.body.week_start).toBe('2025-11-09');
    await app.call('PUT', '/users/me/preferences', { token: me.token, body: { week_start: 'monday' } });
  });

  it('S0-27, S0-36, S0-89: PUT changes what is sent, PATCH is its alias, the week stays', async () => {
    const { body: goal } = await mine('POST', '/goals', { week_start: '2025-01-06', target_calls: 3, target_emails: 9 });
    const put = await mine('PUT', `/goals/${goal.id}`, { target_calls: 5 });
    expect(put.body).toMatchObject({ target_calls: 5, target_emails: 9, week_start: '2025-01-06' });
    const patch = await mine('PATCH', `/goals/${goal.id}`, { target_emails: 1 });
    expect(patch.body).toMatchObject({ target_calls: 5, target_emails: 1 });
    expect(patch.body.updated_at >= goal.updated_at).toBe(true);
    expect((await mine('PUT', `/goals/${goal.id}`, { week_start: '2025-01-13' })).status).toBe(422);
    expect((await mine('DELETE', `/goals/${goal.id}`)).status).toBe(204);
    expect((await mine('GET', `/goals/${goal.id}`)).status).toBe(404);
  });

  it('S0-34, S0-88: lists by week with a cursor', async () => {
    await clear(me);
    for (const week_start of ['2025-03-03', '2025-03-10', '2025-03-17']) await mine('POST', '/goals', { week_start });
    const first = await mine('GET', '/goals?limit=2');
    expect(first.body.items.map((goal: { week_start: string }) => goal.week_start)).toEqual(['2025-03-17', '2025-03-10']);
    const second = await mine('GET', `/goals?limit=2&cursor=${first.body.next_cursor}`);
    expect(second.body.items.map((goal: { week_start: string }) => goal.week_start)).toEqual(['2025-03-03']);
    expect(second.body.next_cursor).toBeNull();
    const between = await mine('GET', '/goals?from=2025-03-04&to=2025-03-16');
    expect(between.body.items).toHaveLength(1);
    const foreign = Buffer.from('["x","y"]').toString('base64url');
    expect((await mine('GET', `/goals?cursor=${foreign}`)).status).toBe(400);
  });

  it('S0-55, S0-97: weekly progress', async () => {
    await clear(me);
    await setZone(me, 'UTC');
    expect((await mine('GET', '/goals/progress')).status).toBe(404);
    const week_start = weekStartOf(today(), 'monday');
    const { body: goal } = await mine('POST', '/goals', { week_start, target_calls: 4, target_emails: 10 });
    await mine('POST', '/activities', { type: 'call', status: 'done', date: week_start, amount: 4 });
    await mine('POST', '/activities', { type: 'email', status: 'pending', date: week_start, amount: 4 });
    const progress = await mine('GET', '/goals/progress');
    expect(progress.body).toMatchObject({ goal_id: goal.id, week_start, week_end: addDays(week_start, 6), percent: 28 });
    expect(progress.body.types.call).toMatchObject({ target: 4, done: 4, percent: 100, state: 'reached' });
    expect(progress.body.types.email.done).toBe(0);
    expect((await mine('GET', `/goals/${goal.id}/progress`)).body).toEqual(progress.body);
  });
});

describe('activities', () => {
  beforeAll(() => clear(me));

  it('S0-29, S0-51: refuses an invalid type, status, amount or date', async () => {
    const answer = await mine('POST', '/activities', { type: 'fax', status: 'lost', date: 'today', amount: 0 });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toHaveLength(4);
    expect((await mine('POST', '/activities', { type: 'call', status: 'done' })).status).toBe(422);
  });

  it('S0-11: an activity of an unknown prospect is answered 422', async () => {
    const body = { type: 'call', status: 'done', date: today(), prospect_id: 999_999 };
    expect(await mine('POST', '/activities', body)).toMatchObject({ status: 422, body: { errors: [{ pointer: '/prospect_id' }] } });
  });

  it('S0-80: `today` is not read as an id, and ids that are no numbers are answered 404', async () => {
    expect((await mine('GET', '/activities/today')).status).toBe(200);
    for (const id of ['yesterday', '0', '-1', '1.5', '99999999999', '2147483648']) {
      expect((await mine('GET', `/activities/${id}`)).status).toBe(404);
    }
  });

  it('S0-30, S0-89: only status and notes change', async () => {
    const { body: activity } = await mine('POST', '/activities', { type: 'call', status: 'pending', date: today() });
    const done = await mine('PATCH', `/activities/${activity.id}`, { status: 'done' });
    expect(done.body).toMatchObject({ status: 'done', notes: null });
    expect((await mine('PUT', `/activities/${activity.id}`, { notes: 'called back' })).body.notes).toBe('called back');
    expect((await mine('PUT', `/activities/${activity.id}`, { amount: 2 })).status).toBe(422);
  });

  it('S0-88: lists by filters and pages', async () => {
    await clear(me);
    for (const [date, type, status] of [
      ['2025-05-01', 'call', 'done'],
      ['2025-05-02', 'call', 'pending'],
      ['2025-05-03', 'email', 'done'],
    ]) {
      await mine('POST', '/activities', { type, status, date });
    }
    const count = async (query: string) => (await mine('GET', `/activities?${query}`)).body.items.length;
    expect(await count('from=2025-05-02')).toBe(2);
    expect(await count('to=2025-05-02&type=call')).toBe(2);
    expect(await count('status=done&type=email')).toBe(1);
    expect(await count('prospect_id=1')).toBe(0);
    expect((await mine('GET', '/activities?limit=101')).status).toBe(422);
    const first = await mine('GET', '/activities?limit=2');
    const second = await mine('GET', `/activities?limit=2&cursor=${first.body.next_cursor}`);
    expect([...first.body.items, ...second.body.items].map(({ date }: { date: string }) => date)).toEqual([
      '2025-05-03',
      '2025-05-02',
      '2025-05-01',
    ]);
  });

  it('S0-86: today is the day in the time zone of the person, and a new zone changes no past day', async () => {
    await clear(me);
    const east = localTime(Date.now(), 'Pacific/Kiritimati').day;
    const west = localTime(Date.now(), 'Pacific/Pago_Pago').day;
    expect(east).not.toBe(west);
    await setZone(me, 'Pacific/Kiritimati');
    await mine('POST', '/activities', { type: 'call', status: 'done', date: east });
    expect((await mine('GET', '/activities/today')).body).toHaveLength(1);
    expect((await mine('GET', '/scores/today')).body).toMatchObject({ date: east, score: 20, streak_days: 1 });
    await setZone(me, 'Pacific/Pago_Pago');
    expect((await mine('GET', '/activities/today')).body).toHaveLength(0);
    expect((await mine('GET', '/scores/today')).body).toMatchObject({ id: null, date: west, score: 0, streak_days: 0 });
    const { rows } = await admin.query('select date::text, score from admin_scores where user_id = $1', [me.user_id]);
    expect(rows).toEqual([{ date: east, score: 20 }]);
    await setZone(me, 'UTC');
  });
});

describe('scores and streaks', () => {
  beforeAll(async () => {
    await clear(me);
    await setZone(me, 'UTC');
  });

  it('S0-87: an empty day has score 0 and writes no row', async () => {
    expect((await mine('GET', '/scores/today')).body).toMatchObject({ id: null, score: 0, streak_days: 0 });
    const { rowCount } = await admin.query('select from admin_scores where user_id = $1', [me.user_id]);
    expect(rowCount).toBe(0);
  });

  it('S0-77, S0-78, S0-79: streaks follow activities that are logged for past days or deleted', async () => {
    const log = (offset: number) =>
      mine('POST', '/activities', { type: 'call', status: 'done', date: addDays(today(), offset) });
    const streak = async () => (await mine('GET', '/scores/streak')).body.streak_days;
    await log(-3);
    await log(-1);
    expect(await streak()).toBe(1);
    const { body: bridge } = await log(-2);
    expect(await streak()).toBe(3);
    await log(0);
    expect(await streak()).toBe(4);
    await mine('PUT', `/activities/${bridge.id}`, { status: 'cancelled' });
    expect(await streak()).toBe(2);
    await mine('PUT', `/activities/${bridge.id}`, { status: 'done' });
    expect(await streak()).toBe(4);
    await mine('DELETE', `/activities/${bridge.id}`);
    expect(await streak()).toBe(2);
    const { rows } = await admin.query('select score, activities_count, streak_days from admin_scores where date = $1', [
      addDays(today(), -2),
    ]);
    expect(rows).toEqual([{ score: 0, activities_count: 0, streak_days: 0 }]);
  });

  it('S0-98: the week has seven days, those without a row with score 0', async () => {
    const week = await mine('GET', '/scores/week');
    expect(week.status).toBe(200);
    expect(week.body.week_start).toBe(weekStartOf(today(), 'monday'));
    expect(week.body.items).toHaveLength(7);
    expect(week.body.items.find(({ date }: { date: string }) => date === today())).toMatchObject({ score: 20 });
    await app.call('PUT', '/users/me/preferences', { token: me.token, body: { week_start: 'saturday' } });
    expect((await mine('GET', '/scores/week')).body.week_start).toBe(weekStartOf(today(), 'saturday'));
    await app.call('PUT', '/users/me/preferences', { token: me.token, body: { week_start: 'monday' } });
  });

  it('vacation and rest days freeze the streak as soon as they are saved', async () => {
    await clear(me);
    const log = (offset: number) =>
      mine('POST', '/activities', { type: 'call', status: 'done', date: addDays(today(), offset) });
    await log(-5);
    await log(0);
    const streak = async () => (await mine('GET', '/scores/streak')).body.streak_days;
    expect(await streak()).toBe(1);
    const vacation = await mine('POST', '/vacations', { starts_on: addDays(today(), -4), ends_on: addDays(today(), -1) });
    expect(vacation.status).toBe(201);
    expect(await streak()).toBe(2);
    expect((await mine('GET', '/vacations')).body.items).toHaveLength(1);
    expect((await mine('DELETE', `/vacations/${vacation.body.id}`)).status).toBe(204);
    expect(await streak()).toBe(1);
    expect((await mine('DELETE', `/vacations/${vacation.body.id}`)).status).toBe(404);
    const backwards = await mine('POST', '/vacations', { starts_on: today(), ends_on: addDays(today(), -1) });
    expect(backwards.status).toBe(422);
    expect((await mine('POST', '/vacations', { starts_on: '2020-01-01', ends_on: '2025-01-01' })).status).toBe(422);
  });

  it('settings have defaults and change in parts; seven rest days are refused', async () => {
    await clear(me);
    expect((await mine('GET', '/settings')).body).toMatchObject({ rest_weekdays: [], daily_nudge_cap: 5 });
    const changed = await mine('PUT', '/settings', { rest_weekdays: [6, 7] });
    expect(changed.body).toEqual({ rest_weekdays: [6, 7], quiet_from_minute: 1320, quiet_to_minute: 420, daily_nudge_cap: 5 });
    expect((await mine('PATCH', '/settings', { daily_nudge_cap: 2 })).body).toMatchObject({ rest_weekdays: [6, 7] });
    expect((await mine('PUT', '/settings', { rest_weekdays: [1, 2, 3, 4, 5, 6, 7] })).status).toBe(422);
    expect((await mine('PUT', '/settings', { rest_weekdays: [1, 1] })).status).toBe(422);
  });

  it('activities that are logged in parallel for one day all count', async () => {
    await clear(me);
    const date = today();
    await Promise.all(
      Array.from({ length: 10 }, () => mine('POST', '/activities', { type: 'email', status: 'done', date })),
    );
    expect((await mine('GET', '/scores/today')).body).toMatchObject({ score: 50, activities_count: 10 });
  });

  it('S0-78: after any sequence of operations the rows equal a fresh recomputation', async () => {
    const first = '2026-03-02';
    const operation = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('create'), at: fc.nat(14), amount: fc.integer({ min: 1, max: 8 }) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('done', 'cancelled', 'delete'), at: fc.nat(40), amount: fc.nat(1) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('rest', 'vacation'), at: fc.nat(14), amount: fc.integer({ min: 1, max: 6 }) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 25 }), async (operations) => {
        await clear(me);
        const ids: number[] = [];
        for (const { kind, at, amount } of operations) {
          const date = addDays(first, at);
          const id = ids[at % Math.max(ids.length, 1)];
          if (kind === 'create') {
            const status = amount % 4 === 0 ? 'pending' : 'done';
            ids.push((await mine('POST', '/activities', { type: 'video', status, date, amount })).body.id);
          } else if (kind === 'rest') await mine('PUT', '/settings', { rest_weekdays: [amount] });
          else if (kind === 'vacation') await mine('POST', '/vacations', { starts_on: date, ends_on: addDays(date, amount) });
          else if (id === undefined) continue;
          else if (kind === 'delete') await mine('DELETE', `/activities/${id}`);
          else await mine('PUT', `/activities/${id}`, { status: kind });
        }
        await expectFresh(me);
      }),
      { numRuns: 12 },
    );
  });
});

/** Compares the stored scores with a recomputation from activities and calendar. */
async function expectFresh(person: SignedIn): Promise<void> {
  const of = async (text: string) => (await admin.query(text, [person.user_id])).rows;
  const scores = await of(
    'select date::text as day, score, streak_days, activities_count from admin_scores where user_id = $1 order by date',
  );
  const log = await of('select date::text as day, type, status, amount from admin_activities where user_id = $1');
  const [settings] = await of('select rest_weekdays from admin_tracker_settings where user_id = $1');
  const vacations = await of(
    'select starts_on::text, ends_on::text from admin_tracker_vacations where user_id = $1',
  );
  const calendar = { rest_weekdays: settings?.rest_weekdays ?? [], vacations: vacations as { starts_on: string; ends_on: string }[] };
  const ofDay = (day: string) => dailyScore(log.filter((row) => row.day === day) as Parameters<typeof dailyScore>[0]);
  const fresh = freshStreaks(scores.map(({ day }) => ({ day, score: ofDay(day).score })), calendar);
  expect(scores).toEqual(fresh.map((row) => ({ ...row, activities_count: ofDay(row.day).activities_count })));
  const scored = new Set(scores.map(({ day }) => day));
  expect(log.every(({ day, status }) => status !== 'done' || scored.has(day))).toBe(true);
}

describe('the dashboard (S0-50, S0-81)', () => {
  it('answers the day at a glance under both paths', async () => {
    await clear(me);
    await mine('POST', '/activities', { type: 'call', status: 'done', date: today() });
    const monitored = await app.call('GET', '/api/master-admin/dashboard', { token: me.token });
    expect(monitored.status).toBe(200);
    expect(monitored.body).toMatchObject({
      date: today(),
      score: { score: 20, streak_days: 1 },
      streak_days: 1,
      week_progress: null,
      active_session: null,
      unread_nudges: [],
      next_meetings: [],
    });
    await mine('POST', '/goals', { week_start: today(), target_calls: 2 });
    const versioned = await mine('GET', '/dashboard');
    expect(versioned.body.week_progress).toMatchObject({ percent: 50, types: { call: { done: 1 } } });
  });
});

describe('the schema (S0-8, S0-10..21, S0-91)', () => {
  it('has the constraints and indexes of the requirements under their names', async () => {
    const { rows } = await admin.query(`
      select conname as name from pg_constraint where conname = any($1)
      union select indexname from pg_indexes where indexname = any($1) order by name`, [
      [
        'uq_user_week',
        'uq_user_date',
        'ck_activity_type',
        'ck_activity_status',
        'ck_score_range',
        'idx_admin_activities_user_date',
        'idx_admin_scores_user_date',
        'idx_admin_focus_sessions_user_start',
        'idx_admin_nudges_user_read',
      ],
    ]);
    expect(rows).toHaveLength(9);
  });

  it('S0-96: erasing a user erases the tracker, and audit rows name every change', async () => {
    const { rows } = await admin.query("select count(*)::int as n from audit_logs where event like 'activity.%'");
    expect(rows[0].n).toBeGreaterThan(0);
    const { rows: cascades } = await admin.query(
      "select count(*)::int as n from pg_constraint where conname like 'admin%_user_fk' and confdeltype = 'c' and conrelid::regclass::text in ('admin_goals', 'admin_activities', 'admin_scores', 'admin_focus_sessions', 'admin_nudges', 'admin_meetings')",
    );
    expect(cascades[0].n).toBe(6);
  });
});
