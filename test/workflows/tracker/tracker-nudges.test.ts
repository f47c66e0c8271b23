import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { localTime } from '../../../src/domain/tracker/tracker-calendar.ts';
import { acceptWording } from '../../../src/domain/tracker/tracker-nudge-wording.ts';
import { nudgeSchedulesWorkflowType } from '../../../src/workflows/tracker/nudge-round.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { startInProcessWorker } from '../../support/temporal/worker-in-process.ts';
import type { InProcessWorker } from '../../support/temporal/worker-in-process.ts';
import { day, fromNow } from '../../support/factories/defaults.ts';
import { createNudge } from '../../support/factories/tracker.ts';

const base = '/api/v1/master-admin';

/** A fake text model: an HTTP server that answers what the test wants, fails, or never answers. */
let model: Server;
let modelSays: (template: string) => string | null | 'hang';
let modelHeard: string[] = [];

let app: TestApi;
let worker: InProcessWorker;
let me: SignedIn;

beforeAll(async () => {
  model = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      modelHeard.push(body);
      const content = modelSays(JSON.parse(body).messages[1].content);
      if (content === 'hang') return;
      if (content === null) response.writeHead(500).end('{}');
      else response.end(JSON.stringify({ choices: [{ message: { content } }] }));
    });
  });
  await new Promise<void>((done) => model.listen(0, '127.0.0.1', done));
  const { port } = model.address() as AddressInfo;
  app = await startTestApi({
    WORKFLOW_BUNDLE: workflowBundlePath(),
    OUTBOUND_ALLOW: `127.0.0.1:${port}`,
    TEXT_MODEL_URL: `http://127.0.0.1:${port}/v1/chat/completions`,
    TEXT_MODEL_TIMEOUT_MS: '5000',
  });
  worker = await startInProcessWorker(app);
  me = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await worker.close();
  await app.close();
  model.closeAllConnections();
  await new Promise((done) => model.close(done));
});

beforeEach(async () => {
  modelSays = () => null;
  modelHeard = [];
  for (const table of ['nudges', 'nudge_marks', 'goals', 'meetings', 'activities', 'scores', 'stage_history', 'prospects']) {
    await asSuperuser(app, `delete from admin_${table}`);
  }
  const open = { quiet_from_minute: 0, quiet_to_minute: 0, daily_nudge_cap: 10, rest_weekdays: [] };
  expect((await call('PUT', '/settings', open)).status).toBe(200);
});

const call = (method: string, path: string, body?: unknown): Promise<Answer> =>
  app.call(method, `${base}${path}`, { token: me.token, body });
const due = (name: string) => call('POST', '/prospects', { name, next_activity_at: '2026-01-01T00:00:00Z' });
const generate = async () => (await call('POST', '/nudges/generate')).body.items;
const only = (items: { rule: string }[], rule: string) => items.filter((item) => item.rule === rule);

describe('nudges (S0-58, S0-82, S0-94, S0-95)', () => {
  it('a nudge about a due follow-up is reworded by the model, which does not get the name', async () => {
    await due('Confidential Client');
    modelSays = (template) => (template.includes('{name}') ? '"{name} is waiting for your call."' : null);
    const [nudge] = only(await generate(), 'follow-up-due');
    expect(nudge).toMatchObject({
      message: 'Confidential Client is waiting for your call.',
      worded_by: 'model',
      type: 'reminder',
      priority: 'high',
      read: false,
    });
    expect(modelHeard.length).toBeGreaterThan(0);
    expect(modelHeard.join()).not.toContain('Confidential');
    expect(modelHeard.join()).not.toContain(me.email);
  });

  it.each([
    ['fails', null],
    ['hangs', 'hang'],
    ['forgets the name', 'Call somebody.'],
    ['talks too much', `{name} ${'x'.repeat(400)}`],
    ['brings a link', '{name}: see https://evil.example'],
  ] as const)('keeps the rule’s own text when the model %s', async (_how, content) => {
    await due('Acme');
    modelSays = () => content;
    const [nudge] = only(await generate(), 'follow-up-due');
    expect(nudge).toMatchObject({ message: 'A follow-up with Acme is due.', worded_by: 'rule' });
  });

  it('a rule that is evaluated a hundred times, in parallel too, delivers one nudge; a deleted one does not come back', async () => {
    await due('Acme');
    for (let round = 0; round < 5; round += 1) await Promise.all(Array.from({ length: 20 }, generate));
    const list = only((await call('GET', '/nudges')).body.items, 'follow-up-due');
    expect(list).toHaveLength(1);
    const { id } = list[0] as unknown as { id: number };
    expect((await call('DELETE', `/nudges/${id}`)).status).toBe(204);
    expect(only(await generate(), 'follow-up-due')).toEqual([]);
    expect((await call('DELETE', `/nudges/${id}`)).status).toBe(404);
  });

  it('respects the daily cap and the quiet hours', async () => {
    await due('Acme');
    await call('POST', '/meetings', { title: 'Demo', type: 'demo', scheduled_at: '2026-01-01T00:00:00Z' });
    const { minute } = localTime(Date.now(), 'UTC');
    await app.call('PUT', '/users/me/preferences', { token: me.token, body: { time_zone: 'UTC' } });
    const around = { quiet_from_minute: (minute + 1410) % 1440, quiet_to_minute: (minute + 30) % 1440 };
    await call('PUT', '/settings', around);
    expect(await generate()).toEqual([]);
    await call('PUT', '/settings', { quiet_from_minute: 0, quiet_to_minute: 0, daily_nudge_cap: 1 });
    expect(await generate()).toMatchObject([{ rule: 'follow-up-due' }]);
    expect(await generate()).toEqual([]);
    await call('PUT', '/settings', { daily_nudge_cap: 10 });
    expect(only(await generate(), 'meeting-without-outcome')).toHaveLength(1);
  });

  it('each milestone of a goal is announced once, however the goal changes later', async () => {
    const day = localTime(Date.now(), 'UTC').day;
    const { body: goal } = await call('POST', '/goals', { week_start: day, target_calls: 2 });
    const log = (amount: number) => call('POST', '/activities', { type: 'call', status: 'done', date: day, amount });
    await log(1);
    expect(only(await generate(), 'goal-milestone')).toMatchObject([{ type: 'celebration', message: expect.stringContaining('50 %') }]);
    await log(1);
    expect(only(await generate(), 'goal-milestone')).toMatchObject([{ message: 'You have reached your goal of the week.' }]);
    await call('PUT', `/goals/${goal.id}`, { target_calls: 4 });
    expect(only(await generate(), 'goal-milestone')).toEqual([]);
    await log(2);
    expect(only(await generate(), 'goal-milestone')).toEqual([]);
  });

  it('a prospect that has been in its stage for too long gets a nudge', async () => {
    const { body: prospect } = await call('POST', '/prospects', { name: 'Old' });
    await asSuperuser(app, "update admin_prospects set stage_entered_at = now() - interval '60 days' where id = $1", [prospect.id]);
    expect(only(await generate(), 'prospect-rotting')).toMatchObject([{ message: 'Old has been in the same stage for too long.' }]);
  });

  it('a nudge is read, snoozed and unsnoozed, hidden when it has expired, and changed by its owner only', async () => {
    await due('Acme');
    const [{ id }] = only(await generate(), 'follow-up-due') as unknown as [{ id: number }];
    const shown = async (query = '') => (await call('GET', `/nudges${query}`)).body.items.map((one: { id: number }) => one.id);
    expect((await call('PUT', `/nudges/${id}/snooze`, { minutes: 30 })).body.snoozed_until).not.toBeNull();
    expect(await shown()).not.toContain(id);
    await call('PUT', `/nudges/${id}/snooze`, { minutes: 0 });
    expect(await shown('?type=reminder&priority=high')).toContain(id);
    expect((await app.call('GET', '/api/master-admin/dashboard', { token: me.token })).body.unread_nudges).not.toEqual([]);
    expect((await call('PUT', `/nudges/${id}/read`)).body.read).toBe(true);
    expect(await shown('?read=false')).not.toContain(id);
    expect(await shown('?read=true')).toContain(id);
    const other = await app.signIn('role-super-admin', 1);
    expect((await app.call('PUT', `${base}/nudges/${id}/read`, { token: other.token })).status).toBe(404);
    expect((await app.call('PUT', `${base}/nudges/${id}/snooze`, { token: other.token, body: { minutes: 1 } })).status).toBe(404);
    await asSuperuser(app, "update admin_nudges set expires_at = now() - interval '1 minute'");
    expect(await shown()).toEqual([]);
  });

  it('every tenant has a Schedule whose round nudges its people and purges old nudges', async () => {
    await due('Acme');
    const longAgo = fromNow(-30 * day).slice(0, 10);
    await createNudge(app, { user_id: me.user_id, message: 'old', rule: 'no-activity', day: longAgo, expires_at: fromNow(-20 * day) });
    const { client, taskQueue } = worker.deps.temporal;
    await client.workflow.execute(nudgeSchedulesWorkflowType, { taskQueue, workflowId: 'nudge-schedules-test' });
    const schedule = client.schedule.getHandle(`nudges/${defaultTenantId}`);
    const { spec, policies } = await schedule.describe();
    expect(spec.intervals).toMatchObject([{ every: 900_000 }]);
    expect(policies.overlap).toBe('SKIP');
    await schedule.trigger();
    const items = await eventually(
      async () => (await call('GET', '/nudges')).body.items,
      (list) => only(list, 'follow-up-due').length === 1,
    );
    expect(only(items, 'follow-up-due')).toHaveLength(1);
    const stale = () => asSuperuser(app, "select 1 from admin_nudges where message = 'old'");
    expect(await eventually(stale, (rows) => rows.length === 0)).toEqual([]);
    await schedule.delete();
  });
});

describe('the text of a model', () => {
  it('is accepted only when it keeps numbers and placeholders of the rule’s text', () => {
    const template = 'Your streak of 7 days ends tonight.';
    expect(acceptWording({ template }, 'Seven? 7 days are at stake tonight!')).toBe('Seven? 7 days are at stake tonight!');
    for (const answer of [null, '', ' ', '8 days are at stake', 'two\n7 lines', '<b>7</b>']) {
      expect(acceptWording({ template }, answer)).toBeNull();
    }
  });
});
