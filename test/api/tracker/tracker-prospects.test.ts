import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { asSuperuser } from '../../support/superuser.ts';

const base = '/api/v1/master-admin';

let app: TestApi;
let me: SignedIn;
let other: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  me = await app.signIn('role-super-admin');
  other = await app.signIn('role-super-admin', 1);
});

afterAll(() => app.close());

const mine = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  app.call(method, `${base}${path}`, { token: me.token, body, headers });
const theirs = (method: string, path: string, body?: unknown): Promise<Answer> =>
  app.call(method, `${base}${path}`, { token: other.token, body, headers: { 'if-match': '"1"' } });
const idsOf = ({ body }: Answer): number[] => body.items.map(({ id }: { id: number }) => id);
const move = (prospect: { id: number; version: number }, body: unknown) =>
  mine('POST', `/prospects/${prospect.id}/move`, body, { 'if-match': `"${prospect.version}"` });

describe('pipelines (S0-75)', () => {
  it('have stages in order, one default, and change in parts', async () => {
    const stages = [
      { name: 'Lead', probability: 10, rotting_days: 5 },
      { name: 'Offer', probability: 60, required_fields: ['value_minor'] },
    ];
    const created = await mine('POST', '/pipelines', { name: 'Renewals', is_default: true, stages });
    expect(created.status).toBe(201);
    expect(created.body.stages).toMatchObject([{ name: 'Lead', position: 1 }, { name: 'Offer', position: 2, rotting_days: null }]);
    expect((await mine('POST', '/pipelines', { name: 'renewals', stages })).status).toBe(409);
    const second = await mine('POST', '/pipelines', { name: 'Partners', is_default: true, stages });
    const list = await mine('GET', '/pipelines');
    expect(list.body.items.filter((one: { is_default: boolean }) => one.is_default)).toMatchObject([{ id: second.body.id }]);
    const renamed = await mine('PUT', `/pipelines/${created.body.id}`, { name: 'Renewal', is_default: true });
    expect(renamed.body).toMatchObject({ name: 'Renewal', is_default: true, version: 2 });
    const stage = await mine('POST', `/pipelines/${created.body.id}/stages`, { name: 'Close', probability: 90 });
    expect(stage.body).toMatchObject({ position: 3, required_fields: [] });
    const changed = await mine('PATCH', `/pipelines/${created.body.id}/stages/${stage.body.id}`, { probability: 95 });
    expect(changed.body).toMatchObject({ probability: 95, name: 'Close' });
    expect((await mine('DELETE', `/pipelines/${created.body.id}/stages/${stage.body.id}`)).status).toBe(204);
    expect((await mine('DELETE', `/pipelines/${created.body.id}/stages/${stage.body.id}`)).status).toBe(404);
    expect((await mine('PUT', `/pipelines/${created.body.id}/stages/999999`, { name: 'x' })).status).toBe(404);
    expect((await mine('DELETE', `/pipelines/${second.body.id}`)).status).toBe(204);
    expect((await mine('GET', `/pipelines/${second.body.id}`)).status).toBe(404);
    expect((await mine('GET', '/pipelines?limit=1')).body.items).toHaveLength(1);
  });

  it('refuses invalid stages', async () => {
    const bad = { name: 'X', stages: [{ name: 'A', probability: 101, required_fields: ['password'] }] };
    expect((await mine('POST', '/pipelines', bad)).body.errors).toHaveLength(2);
    expect((await mine('POST', '/pipelines', { name: 'X', stages: [] })).status).toBe(422);
  });
});

describe('prospects (S0-74, S0-75)', () => {
  it('X-16: a prospect is created, changed, moved, won, lost, reopened and removed; its history stays', async () => {
    const created = await mine('POST', '/prospects', { name: 'Acme', email: 'Buyer@Acme.test' });
    expect(created.status).toBe(201);
    expect(created.headers.get('etag')).toBe('"1"');
    expect(created.body).toMatchObject({
      email: 'buyer@acme.test',
      stage_name: 'Lead',
      probability: 10,
      status: 'open',
      is_rotting: false,
      weighted_value_minor: null,
      version: 1,
    });
    const { id, pipeline_id, stage_id } = created.body;
    const pipeline = await mine('GET', `/pipelines/${pipeline_id}`);
    const offer = pipeline.body.stages[1].id;

    const missing = await move(created.body, { stage_id: offer });
    expect(missing).toMatchObject({ status: 409, body: { code: 'prospect.move-refused', reason: 'missing-fields', fields: ['value_minor'] } });
    expect((await mine('PUT', `/prospects/${id}`, { value_minor: 5000 })).status).toBe(422);
    const valued = await mine('PUT', `/prospects/${id}`, { value_minor: 5000, currency: 'INR' });
    expect(valued.body).toMatchObject({ value_minor: 5000, weighted_value_minor: 500, version: 2 });

    expect((await mine('POST', `/prospects/${id}/move`, { stage_id: offer })).status).toBe(428);
    expect(await move(created.body, { stage_id: offer })).toMatchObject({ status: 412, body: { current_version: 2 } });
    const moved = await move(valued.body, { stage_id: offer });
    expect(moved.body).toMatchObject({ stage_name: 'Offer', probability: 60, weighted_value_minor: 3000, version: 3 });
    expect((await move(moved.body, { stage_id: offer })).body.reason).toBe('unchanged');
    expect((await move(moved.body, { status: 'lost' })).body.reason).toBe('reason-missing');
    const lost = await move(moved.body, { status: 'lost', lost_reason: 'price' });
    expect(lost.body).toMatchObject({ status: 'lost', lost_reason: 'price', probability: 0, stage_id: offer, rots_at: null });
    const reopened = await move(lost.body, { status: 'open', stage_id });
    expect(reopened.body).toMatchObject({ status: 'open', lost_reason: null, stage_name: 'Lead' });
    const won = await move(reopened.body, { status: 'won' });
    expect(won.body).toMatchObject({ status: 'won', probability: 100 });

    const history = await mine('GET', `/prospects/${id}/history?limit=3`);
    expect(history.body.items.map((one: { to_status: string }) => one.to_status)).toEqual(['won', 'open', 'lost']);
    const rest = await mine('GET', `/prospects/${id}/history?cursor=${history.body.next_cursor}`);
    expect(rest.body.items).toMatchObject([{ from_stage_id: stage_id }, { from_stage_id: null, seconds_in_stage: null }]);

    expect((await mine('DELETE', `/prospects/${id}`)).status).toBe(204);
    expect((await mine('GET', `/prospects/${id}`)).status).toBe(404);
    expect((await mine('POST', '/prospects', { name: 'Acme again', email: 'buyer@acme.test' })).status).toBe(201);
  });

  it('S0-75: a stage of another pipeline is refused', async () => {
    const { body: prospect } = await mine('POST', '/prospects', { name: 'Elsewhere' });
    const foreign = await mine('POST', '/pipelines', { name: 'Foreign', stages: [{ name: 'Only', probability: 1 }] });
    const answer = await move(prospect, { stage_id: foreign.body.stages[0].id });
    expect(answer).toMatchObject({ status: 409, body: { reason: 'other-pipeline' } });
    expect(await move(prospect, { stage_id: 999_999 })).toMatchObject({ status: 422, body: { errors: [{ pointer: '/stage_id' }] } });
    const held = await mine('POST', '/prospects', { name: 'There', stage_id: foreign.body.stages[0].id });
    expect(held.body.pipeline_id).toBe(foreign.body.id);
    expect((await mine('DELETE', `/pipelines/${foreign.body.id}`)).status).toBe(409);
    expect((await mine('DELETE', `/pipelines/${foreign.body.id}/stages/${foreign.body.stages[0].id}`)).status).toBe(409);
  });

  it('S0-74: a second prospect with the same e-mail address is refused, ignoring case and owner', async () => {
    await mine('POST', '/prospects', { name: 'First', email: 'twin@acme.test' });
    expect((await mine('POST', '/prospects', { name: 'Second', email: 'TWIN@acme.test' })).status).toBe(409);
    const foreign = await theirs('POST', '/prospects', { name: 'Third', email: 'twin@acme.test' });
    expect(foreign.status).toBe(409);
    expect(JSON.stringify(foreign.body)).not.toContain('First');
  });

  it('one of several parallel moves on the same version succeeds', async () => {
    const { body: prospect } = await mine('POST', '/prospects', { name: 'Raced' });
    const answers = await Promise.all(Array.from({ length: 8 }, () => move(prospect, { status: 'won' })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(7);
  });

  it('searches and filters; wildcard characters match themselves', async () => {
    const percent = (await mine('POST', '/prospects', { name: '100% Coverage', company: 'Under_score' })).body.id;
    const due = (await mine('POST', '/prospects', { name: 'Due', next_activity_at: '2020-01-01T00:00:00Z' })).body.id;
    expect(idsOf(await mine('GET', '/prospects?q=0%25%20cov'))).toEqual([percent]);
    expect(idsOf(await mine('GET', '/prospects?q=r_s'))).toEqual([percent]);
    expect(idsOf(await mine('GET', '/prospects?due_before=2021-01-01T00:00:00Z'))).toEqual([due]);
    await asSuperuser(app, "update admin_prospects set stage_entered_at = now() - interval '30 days' where id = $1", [due]);
    expect(idsOf(await mine('GET', '/prospects?is_rotting=true'))).toEqual([due]);
    expect((await mine('GET', `/prospects/${due}`)).body).toMatchObject({ is_rotting: true });
    expect(idsOf(await mine('GET', '/prospects?status=won&is_rotting=true'))).toEqual([]);
    const { pipeline_id, stage_id } = (await mine('GET', `/prospects/${due}`)).body;
    expect(idsOf(await mine('GET', `/prospects?pipeline_id=${pipeline_id}&stage_id=${stage_id}&q=due`))).toEqual([due]);
    const first = await mine('GET', '/prospects?limit=2');
    expect(idsOf(await mine('GET', `/prospects?limit=2&cursor=${first.body.next_cursor}`))[0]).toBeLessThan(idsOf(first)[1] ?? 0);
  });

  it('S0-63: prospects of another master admin are answered 404', async () => {
    const { id } = (await mine('POST', '/prospects', { name: 'Mine' })).body;
    expect((await theirs('GET', `/prospects/${id}`)).status).toBe(404);
    expect((await theirs('PUT', `/prospects/${id}`, { name: 'Theirs' })).status).toBe(404);
    expect((await theirs('POST', `/prospects/${id}/move`, { status: 'won' })).status).toBe(404);
    expect((await theirs('DELETE', `/prospects/${id}`)).status).toBe(404);
    expect((await theirs('GET', `/prospects/${id}/history`)).body.items).toEqual([]);
  });

  it('the summary sums value and weighted value of each stage', async () => {
    const stages = [{ name: 'Half', probability: 50 }];
    const { body: pipeline } = await mine('POST', '/pipelines', { name: 'Weighed', stages });
    const stage_id = pipeline.stages[0].id;
    for (const value_minor of [100, 301]) await mine('POST', '/prospects', { name: 'V', stage_id, value_minor, currency: 'INR' });
    const summary = await mine('GET', `/pipelines/${pipeline.id}/summary`);
    expect(summary.body.items).toEqual([
      { stage_id, currency: 'INR', prospects: 2, value_minor: 401, weighted_value_minor: 201 },
    ]);
  });
});

describe('meetings (S0-15, S0-82, S0-93)', () => {
  it('a meeting is planned by a template, held, and each follow-up task becomes an activity once', async () => {
    const template = await mine('POST', '/meetings', {
      title: 'Discovery call',
      type: 'discovery',
      follow_up_tasks: 'Send summary\n\nCall the CFO',
    });
    expect(template.status).toBe(201);
    expect(template.body).toMatchObject({ duration_minutes: 60, scheduled_at: null, outcome: null });
    expect((await mine('PUT', `/meetings/${template.body.id}`, { outcome: 'held' })).status).toBe(409);
    const { id: prospect_id } = (await mine('POST', '/prospects', { name: 'Met' })).body;
    const planned = await mine('POST', `/meetings/${template.body.id}/plan`, { scheduled_at: '2026-12-01T10:00:00Z', prospect_id });
    expect(planned.body).toMatchObject({ title: 'Discovery call', template_id: template.body.id, prospect_id });
    const { id } = planned.body;
    expect((await mine('PATCH', `/meetings/${id}`, { outcome: 'held', outcome_notes: 'keen' })).body.outcome).toBe('held');
    const tasks = [
      { line: 1, type: 'email', date: '2026-12-02' },
      { line: 3, type: 'call', date: '2026-12-03' },
    ];
    const followUps = await mine('POST', `/meetings/${id}/follow-ups`, { tasks });
    expect(followUps.status).toBe(201);
    expect(followUps.body.items).toMatchObject([
      { status: 'pending', notes: 'Send summary', prospect_id, meeting_id: id },
      { notes: 'Call the CFO', date: '2026-12-03' },
    ]);
    expect((await mine('POST', `/meetings/${id}/follow-ups`, { tasks })).status).toBe(409);
    const empty = await mine('POST', `/meetings/${id}/follow-ups`, { tasks: [{ line: 2, type: 'call', date: '2026-12-03' }] });
    expect(empty.body.errors).toMatchObject([{ pointer: '/tasks/0/line' }]);
  });

  it('lists templates and planned meetings page by page, and removes them', async () => {
    const ids = [];
    for (const title of ['A', 'B', 'C']) ids.push((await mine('POST', '/meetings', { title, type: 'demo' })).body.id);
    expect((await mine('GET', '/meetings?kind=template&type=demo')).body.items).toHaveLength(3);
    expect((await mine('GET', '/meetings?kind=planned&from=2026-11-30T00:00:00Z&to=2026-12-02T00:00:00Z')).body.items).toHaveLength(1);
    expect((await mine('GET', '/meetings?prospect_id=999')).body.items).toEqual([]);
    const first = await mine('GET', '/meetings?limit=2');
    expect((await mine('GET', `/meetings?limit=2&cursor=${first.body.next_cursor}`)).body.items).not.toHaveLength(0);
    expect((await theirs('GET', `/meetings/${ids[0]}`)).status).toBe(404);
    expect((await theirs('DELETE', `/meetings/${ids[0]}`)).status).toBe(404);
    expect((await mine('DELETE', `/meetings/${ids[0]}`)).status).toBe(204);
    expect((await mine('GET', `/meetings/${ids[0]}`)).status).toBe(404);
  });

  it('S0-11: removing a meeting keeps its activities', async () => {
    const rows = await asSuperuser<{ n: number }>(app, 'select count(*)::int as n from admin_activities where meeting_id is not null');
    expect(rows[0]?.n).toBe(2);
  });
});
