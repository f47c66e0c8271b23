import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { callProven } from '../support/second-factor.ts';

const tracker = '/api/v1/master-admin';
const later = '2027-03-01T10:00:00Z';

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await app.close();
});

const send = (method: string, path: string, body?: unknown) =>
  callProven(app, admin, method, path, body === undefined ? {} : { body });

async function create(path: string, body: object) {
  const made = await send('POST', `${tracker}${path}`, body);
  expect(made.status).toBe(201);
  return made.body;
}

const refused = (status: number, detail: unknown, ...errors: object[]) => ({ status, body: { detail, errors } });

describe('U-29: a conflict names its field and the thing', () => {
  it('of a module permission that is given twice', async () => {
    const { user_id } = await app.signIn('role-support-staff');
    const path = `/api/v1/users/${user_id}/agent-permissions`;
    expect((await send('POST', path, { agent_name: 'pdf_processing' })).status).toBe(201);
    expect(await send('POST', path, { agent_name: 'pdf_processing' })).toMatchObject(
      refused(409, 'There is a module permission with this agent name already.', { pointer: '/agent_name', detail: 'is taken already' }),
    );
  });

  it('of a queue whose name or source is registered', async () => {
    const queue = { name: 'mails', provider: 'bullmq', source_name: 'mails', environment: 'staging' };
    expect((await send('POST', '/admin/queues', queue)).status).toBe(201);
    expect(await send('POST', '/admin/queues', { ...queue, source_name: 'others' })).toMatchObject(
      refused(409, 'There is a queue with the name mails already.', { pointer: '/name' }),
    );
    expect(await send('POST', '/admin/queues', queue)).toMatchObject(refused(409, expect.any(String), { pointer: '/name' }));
    expect(await send('POST', '/admin/queues', { ...queue, name: 'again' })).toMatchObject(
      refused(409, 'This source is registered already, as the queue mails.', { pointer: '/source_name' }),
    );
  });

  it('of a flag with a key that is used, or of another type elsewhere', async () => {
    const flag = {
      key: 'twin', environment: 'development', value_type: 'boolean', enabled: false, rollout_percentage: 0,
      variants: { on: true, off: false }, on_variant: 'on', off_variant: 'off',
    };
    expect((await send('POST', '/admin/feature-flags', flag)).status).toBe(201);
    expect(await send('POST', '/admin/feature-flags', flag)).toMatchObject(
      refused(409, "A flag 'twin' exists in development already.", { pointer: '/key' }),
    );
    const text = { ...flag, environment: 'staging', value_type: 'string', variants: { on: 'a', off: 'b' } };
    expect(await send('POST', '/admin/feature-flags', text)).toMatchObject(refused(409, expect.stringContaining('boolean'), { pointer: '/value_type' }));
  });

  it('of a stage that is not removed: its prospects, or that it is the last one', async () => {
    const { id, stages } = await create('/pipelines', { name: 'Two', stages: [{ name: 'A', probability: 1 }, { name: 'B', probability: 2 }] });
    const remove = (index: number) => send('DELETE', `${tracker}/pipelines/${id}/stages/${stages[index].id}`);
    const { id: first } = await create('/prospects', { name: 'One', stage_id: stages[0].id });
    expect(await remove(0)).toMatchObject({ status: 409, body: { detail: 'The stage holds a prospect. Move or remove it first.' } });
    const { id: second } = await create('/prospects', { name: 'Two', stage_id: stages[0].id });
    expect(await remove(0)).toMatchObject({ status: 409, body: { detail: 'The stage holds 2 prospects. Move or remove them first.' } });
    for (const prospect of [first, second]) expect((await send('DELETE', `${tracker}/prospects/${prospect}`)).status).toBe(204);
    expect((await remove(0)).status).toBe(204);
    expect(await remove(1)).toMatchObject({ status: 409, body: { detail: 'This is the last stage of its pipeline, which needs one.' } });
  });

  it('of two stages of one new pipeline, which is a fault of the request', async () => {
    const stages = [{ name: 'A', probability: 1 }, { name: 'a', probability: 2 }];
    expect(await send('POST', `${tracker}/pipelines`, { name: 'Free', stages })).toMatchObject(
      refused(422, 'name is the name of an earlier stage.', { pointer: '/stages/1/name' }),
    );
    expect((await send('POST', `${tracker}/pipelines`, { name: 'Free', stages: stages.slice(1) })).status).toBe(201);
  });

  it('of a role that a new account gets twice, which is a fault of the request', async () => {
    const { items } = (await app.call('GET', '/admin/roles', { token: admin.token })).body;
    const role = { role_id: items.find(({ code }: { code: string }) => code === 'role-support-staff').id };
    const person = { full_name: 'Twice', email: 'twice@people.example', roles: [role, role] };
    expect(await send('POST', '/admin/users', person)).toMatchObject(refused(422, expect.any(String), { pointer: '/roles/1/role_id' }));
  });

  it('of the outcome of a template, and of a meeting that would become one', async () => {
    const meeting = { title: 'M', type: 'discovery' };
    const { id } = await create('/meetings', meeting);
    for (const method of ['PUT', 'PATCH']) {
      expect(await send(method, `${tracker}/meetings/${id}`, { outcome: 'held' })).toMatchObject(
        refused(409, 'A template has no outcome: plan a meeting first.', { pointer: '/outcome' }),
      );
    }
    expect(await send('PUT', `${tracker}/meetings/${id}`, { outcome_notes: 'Went well' })).toMatchObject(
      refused(409, expect.any(String), { pointer: '/outcome_notes' }),
    );
    const planned = await create('/meetings', { ...meeting, scheduled_at: later });
    expect((await send('PUT', `${tracker}/meetings/${planned.id}`, { outcome: 'held' })).status).toBe(200);
    expect(await send('PUT', `${tracker}/meetings/${planned.id}`, { scheduled_at: null })).toMatchObject(
      refused(409, expect.any(String), { pointer: '/scheduled_at' }),
    );
  });

  it('of a follow-up task that has an activity, and of a line that is given twice', async () => {
    const { id } = await create('/meetings', { title: 'M', type: 'discovery', follow_up_tasks: 'Call\nWrite\n\nVisit' });
    const task = (line: number) => ({ line, type: 'call', date: '2026-01-05' });
    const follow = (...lines: number[]) => send('POST', `${tracker}/meetings/${id}/follow-ups`, { tasks: lines.map(task) });
    expect(await follow(1, 2, 1)).toMatchObject(refused(422, 'line is given twice.', { pointer: '/tasks/2/line', detail: 'is given twice' }));
    expect(await follow(3)).toMatchObject(refused(422, 'line is an empty line.', { pointer: '/tasks/0/line' }));
    expect((await follow(2)).status).toBe(201);
    expect(await follow(1, 2)).toMatchObject(
      refused(409, 'There is an activity for the follow-up task of line 2 already.', { pointer: '/tasks/1/line', detail: 'has an activity already' }),
    );
    expect((await follow(1, 4)).status).toBe(201);
  });

  it('of a move that is refused', async () => {
    const { id, stage_id } = await create('/prospects', { name: 'Mover' });
    const other = await create('/pipelines', { name: 'Other', stages: [{ name: 'A', probability: 1, required_fields: ['email'] }] });
    const move = async (body: object) => {
      const { headers } = await app.call('GET', `${tracker}/prospects/${id}`, { token: admin.token });
      return callProven(app, admin, 'POST', `${tracker}/prospects/${id}/move`, { body, headers: { 'if-match': headers.get('etag') ?? '' } });
    };
    expect(await move({ stage_id: other.stages[0].id })).toMatchObject(refused(409, expect.any(String), { pointer: '/stage_id' }));
    expect(await move({ stage_id })).toMatchObject(refused(409, expect.any(String), { pointer: '/stage_id' }));
    expect(await move({ status: 'lost' })).toMatchObject(refused(409, expect.any(String), { pointer: '/lost_reason' }));
    const incomplete = await send('POST', `${tracker}/prospects`, { name: 'Incomplete', stage_id: other.stages[0].id });
    expect(incomplete).toMatchObject(refused(409, 'The stage requires: email.', { pointer: '/email' }));
  });
});

describe('S0-51: the type of a follow-up task', () => {
  it('is refused in the words of an activity', async () => {
    const { id } = await create('/meetings', { title: 'M', type: 'discovery', follow_up_tasks: 'Call' });
    const tasks = [{ line: 1, type: 'dance', date: '2026-01-05' }];
    expect(await send('POST', `${tracker}/meetings/${id}/follow-ups`, { tasks })).toMatchObject(
      refused(422, 'Invalid activity type: dance', { pointer: '/tasks/0/type', detail: 'Invalid activity type: dance' }),
    );
    expect(await send('POST', `${tracker}/meetings/${id}/follow-ups`, { tasks: [{ line: 1, date: '2026-01-05' }] })).toMatchObject(
      refused(422, 'type is missing.', { pointer: '/tasks/0/type' }),
    );
  });
});
