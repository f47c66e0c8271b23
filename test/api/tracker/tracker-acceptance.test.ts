import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addDays, localTime } from '../../../src/domain/tracker/tracker-calendar.ts';
import { focusSessionText } from '../../../src/entities/tracker/focus-session.entity.ts';
import { meetingText } from '../../../src/entities/tracker/meeting.entity.ts';
import { nudgeText } from '../../../src/entities/tracker/nudge.entity.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { createNudge } from '../../support/factories/tracker.ts';
import { asSuperuser } from '../../support/superuser.ts';

const base = '/api/v1/master-admin';

let app: TestApi;
let worker: RunningWorker;
let me: SignedIn;
let other: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  worker = await startWorker(app.env, app.api.deps.log);
  me = await app.signIn('role-super-admin');
  other = await app.signIn('role-super-admin', 1);
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

const as = (person: SignedIn) => (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  app.call(method, `${base}${path}`, { token: person.token, ...(body === undefined ? {} : { body }), headers });
const mine = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => as(me)(method, path, body, headers);
const newProspect = async (person: SignedIn) => (await as(person)('POST', '/prospects', { name: 'Somebody' })).body.id as number;

describe('U-1, S0-49: the remaining time of a focus session', () => {
  it('runs, stands still while it is paused, and is over with the session', async () => {
    const { body: session } = await mine('POST', '/focus-sessions', { duration_minutes: 2 });
    const remaining = async () => (await mine('GET', `/focus-sessions/${session.id}/remaining`)).body;
    const first = await remaining();
    expect(first).toMatchObject({ state: 'running', ends_at: session.due_at });
    await setTimeout(2_100);
    const second = await remaining();
    expect(second.remaining_seconds).toBeLessThanOrEqual(first.remaining_seconds - 2);
    expect(second.ends_at).toBe(first.ends_at);
    expect((await mine('PUT', `/focus-sessions/${session.id}/pause`, {})).status).toBe(200);
    const paused = await remaining();
    await setTimeout(1_100);
    expect(await remaining()).toEqual({ ...paused, state: 'paused', ends_at: null });
    expect((await mine('PUT', `/focus-sessions/${session.id}/interrupt`, {})).status).toBe(200);
    expect(await remaining()).toEqual({ state: 'interrupted', remaining_seconds: 0, ends_at: null });
  });
});

describe('U-2, S0-11: references to prospects', () => {
  const meeting = { title: 'Demo', type: 'demo', scheduled_at: '2026-01-31T09:00:00Z' };
  const refused = { status: 422, body: { code: 'request.invalid', errors: [{ pointer: '/prospect_id', detail: 'is none of your prospects' }] } };
  it('name own prospects that are there; another person’s, a removed one and none at all are answered alike', async () => {
    const own = await newProspect(me);
    const gone = await newProspect(me);
    expect((await mine('DELETE', `/prospects/${gone}`)).status).toBe(204);
    const { body: planned } = await mine('POST', '/meetings', { ...meeting, prospect_id: own });
    const { body: template } = await mine('POST', '/meetings', { title: 'Template', type: 'demo' });
    const attempts = (prospect_id: number) => [
      mine('POST', '/activities', { type: 'call', status: 'done', date: '2025-11-01', prospect_id }),
      mine('POST', '/meetings', { ...meeting, prospect_id }),
      mine('PUT', `/meetings/${planned.id}`, { prospect_id }),
      mine('POST', `/meetings/${template.id}/plan`, { scheduled_at: meeting.scheduled_at, prospect_id }),
    ];
    for (const id of [await newProspect(other), gone, 2_000_000_000]) {
      for (const answer of await Promise.all(attempts(id))) expect(answer).toMatchObject(refused);
    }
    expect((await Promise.all(attempts(own))).map(({ status }) => status)).toEqual([201, 201, 200, 201]);
  });

  it('are cleared when the prospect is removed', async () => {
    const prospect_id = await newProspect(me);
    const { body: activity } = await mine('POST', '/activities', { type: 'call', status: 'done', date: '2025-11-01', prospect_id });
    const { body: planned } = await mine('POST', '/meetings', { ...meeting, prospect_id });
    expect((await mine('DELETE', `/prospects/${prospect_id}`)).status).toBe(204);
    expect((await mine('GET', `/activities/${activity.id}`)).body).toMatchObject({ prospect_id: null });
    expect((await mine('GET', `/meetings/${planned.id}`)).body).toMatchObject({ prospect_id: null });
  });

  it('do not outlive a removal that runs beside them', async () => {
    for (let round = 0; round < 5; round += 1) {
      const prospect_id = await newProspect(me);
      const [logged] = await Promise.all([
        mine('POST', '/activities', { type: 'call', status: 'done', date: '2025-11-01', prospect_id }),
        mine('DELETE', `/prospects/${prospect_id}`),
      ]);
      expect([201, 422]).toContain(logged.status);
    }
    const stale = `select 1 from admin_activities a join admin_prospects p on p.id = a.prospect_id where p.deleted_at is not null`;
    expect(await asSuperuser(app, stale)).toEqual([]);
  });
});

describe('U-2, U-3: a stage or a pipeline that is archived', () => {
  it.each(['stage', 'pipeline'])('takes no prospect that comes beside it: %s', async (what) => {
    for (let round = 0; round < 6; round += 1) {
      const stages = [{ name: 'First', probability: 10 }, { name: 'Second', probability: 20 }];
      const { id, stages: [, second] } = (await mine('POST', '/pipelines', { name: `Archive ${what} ${round} ${Math.random()}`, stages })).body;
      const from = await newProspect(me);
      const [removed, created, moved] = await Promise.all([
        mine('DELETE', what === 'stage' ? `/pipelines/${id}/stages/${second.id}` : `/pipelines/${id}`),
        mine('POST', '/prospects', { name: 'Comer', stage_id: second.id }),
        mine('POST', `/prospects/${from}/move`, { stage_id: second.id }, { 'if-match': '"1"' }),
      ]);
      const isIn = created.status === 201 || moved.status === 200;
      expect({ removed: removed.status, isIn }).toEqual({ removed: isIn ? 409 : 204, isIn });
    }
    const lost = `select 1 from admin_prospects p join admin_pipeline_stages s on s.id = p.stage_id join admin_pipelines l on l.id = s.pipeline_id
      where p.deleted_at is null and (s.archived_at is not null or l.archived_at is not null)`;
    expect(await asSuperuser(app, lost)).toEqual([]);
  });
});

describe('U-3: the order of stages', () => {
  const pipeline = async (names: readonly string[]) =>
    (await mine('POST', '/pipelines', { name: `Order ${Date.now()} ${Math.random()}`, stages: names.map((name) => ({ name, probability: 10 })) })).body;
  const shown = async (id: number) =>
    (await mine('GET', `/pipelines/${id}`)).body.stages.map(({ name, position }: { name: string; position: number }) => `${name}${position}`);

  it('A1 B2 C3, C to 1: C, A, B', async () => {
    const { id, stages } = await pipeline(['A', 'B', 'C']);
    const moved = await mine('PUT', `/pipelines/${id}/stages/${stages[2].id}`, { position: 1 });
    expect(moved).toMatchObject({ status: 200, body: { name: 'C', position: 1 } });
    expect(await shown(id)).toEqual(['C1', 'A2', 'B3']);
    expect((await mine('PUT', `/pipelines/${id}/stages/${stages[2].id}`, { position: 1000 })).body.position).toBe(3);
    expect(await shown(id)).toEqual(['A1', 'B2', 'C3']);
  });

  it('is dense after whatever is added, moved and archived, and a moved stage is where it was asked for', async () => {
    const step = fc.record({ kind: fc.constantFrom('add', 'move', 'archive'), which: fc.nat(20), to: fc.integer({ min: 1, max: 6 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 6 }), async (steps) => {
        const { id } = await pipeline(['A', 'B', 'C']);
        let model: string[] = ['A', 'B', 'C'];
        for (const [index, { kind, which, to }] of steps.entries()) {
          const { stages } = (await mine('GET', `/pipelines/${id}`)).body;
          const chosen = stages[which % stages.length];
          const without = model.filter((name) => name !== chosen.name);
          if (kind === 'add') {
            const name = `N${index}`;
            expect((await mine('POST', `/pipelines/${id}/stages`, { name, probability: 5, position: to })).status).toBe(201);
            model = model.toSpliced(to - 1, 0, name);
          } else if (kind === 'move') {
            expect((await mine('PUT', `/pipelines/${id}/stages/${chosen.id}`, { position: to })).status).toBe(200);
            model = without.toSpliced(to - 1, 0, chosen.name);
          } else if (model.length > 1) {
            expect((await mine('DELETE', `/pipelines/${id}/stages/${chosen.id}`)).status).toBe(204);
            model = without;
          }
          expect(await shown(id)).toEqual(model.map((name, place) => `${name}${place + 1}`));
        }
      }),
      { numRuns: 12 },
    );
  });
});

describe('U-5: weeks and days', () => {
  it('a week that has days of another goal is refused with that goal', async () => {
    const { body: goal } = await mine('POST', '/goals', { week_start: '2024-05-06', target_calls: 5 });
    for (const week_start of ['2024-04-30', '2024-05-06', '2024-05-12']) {
      const answer = await mine('POST', '/goals', { week_start });
      expect(answer).toMatchObject({ status: 409, body: { code: 'resource.conflict', goal_id: goal.id, errors: [{ pointer: '/week_start' }] } });
    }
    for (const week_start of ['2024-04-29', '2024-05-13']) expect((await mine('POST', '/goals', { week_start })).status).toBe(201);
    const twice = await Promise.all(['2023-03-06', '2023-03-08', '2023-03-10'].map((week_start) => mine('POST', '/goals', { week_start })));
    expect(twice.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
  });

  it.each(['Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Asia/Kolkata'])('nothing is done on a day that has not come in %s', async (time_zone) => {
    expect((await app.call('PUT', '/users/me/preferences', { token: me.token, body: { time_zone } })).status).toBe(200);
    const today = localTime(Date.now(), time_zone).day;
    const log = (status: string, date: string) => mine('POST', '/activities', { type: 'video', status, date });
    expect((await log('done', today)).status).toBe(201);
    const ahead = await log('done', addDays(today, 1));
    expect(ahead).toMatchObject({ status: 422, body: { errors: [{ pointer: '/date' }] } });
    const planned = await log('pending', addDays(today, 1));
    expect(planned.status).toBe(201);
    const done = await mine('PUT', `/activities/${planned.body.id}`, { status: 'done' });
    expect(done).toMatchObject({ status: 422, body: { errors: [{ pointer: '/status' }] } });
    expect((await mine('GET', `/activities/${planned.body.id}`)).body.status).toBe('pending');
  });
});

describe('S0-23: every model has a readable form', () => {
  it('names what it is and how to find it, and nothing that people write', async () => {
    expect(focusSessionText({ id: 7, user_id: me.user_id, start_time: '2026-01-31T09:00:00Z' })).toBe(
      `<AdminFocusSession(id=7, user_id=${me.user_id}, start_time=2026-01-31T09:00:00Z)>`,
    );
    const nudge = await createNudge(app, { user_id: me.user_id, type: 'alert', priority: 'high' });
    expect(nudgeText(nudge)).toBe(`<AdminNudge(id=${nudge.id}, type=alert, priority=high)>`);
    const { body } = await mine('POST', '/meetings', { title: 'With Ada', type: 'closing' });
    expect(meetingText(body)).toBe(`<AdminMeeting(id=${body.id}, user_id=${me.user_id}, type=closing)>`);
  });
});

describe('S0-51: an unknown type of activity', () => {
  it.each(['meeting', 'Call', '', 5])('%p', async (type) => {
    const answer = await mine('POST', '/activities', { type, status: 'done', date: '2025-11-01' });
    expect(answer).toMatchObject({ status: 422, body: { code: 'request.invalid', detail: `Invalid activity type: ${type}` } });
    expect(answer.body.errors).toEqual([{ pointer: '/type', detail: `Invalid activity type: ${type}` }]);
  });
});
