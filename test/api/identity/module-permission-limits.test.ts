import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { Answer, TestApi } from '../../support/api.ts';
import { auditEvents } from '../../support/audit-events.ts';
import { day, fromNow, hour, uniqueName } from '../../support/factories/defaults.ts';
import { newMember, secondTenant } from '../../support/people.ts';
import type { Member } from '../../support/people.ts';
import { callProven, provenCall } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let app: TestApi;
let admin: Member;
/** Whoever decides on module permissions without being an administrator of modules. */
let granter: Member;

beforeAll(async () => {
  app = await startTestApi();
  ({ admin } = await secondTenant(app));
  const body = { code: uniqueName('granter'), name: 'Granter', permissions: ['profile:read', 'agent-permission:read', 'agent-permission:manage'] };
  expect((await callProven(app, admin, 'POST', '/admin/roles', { body })).status).toBe(201);
  granter = await newMember(app, admin, [body.code]);
});

afterAll(() => app.close());

const inDays = (days: number) => fromNow(days * day);
const pathOf = ({ user_id }: Member, agent = '') => `/api/v1/users/${user_id}/agent-permissions${agent}`;
const grant = (by: Member, to: Member, body: object): Promise<Answer> => callProven(app, by, 'POST', pathOf(to), { body });
const put = (by: Member, to: Member, agent: string, version: number, body: object): Promise<Answer> =>
  callProven(app, by, 'PUT', pathOf(to, `/${agent}`), { headers: { 'if-match': `"${version}"` }, body });
const extend = (by: Member, to: Member, agent: string, version: number, expires_at: string | null): Promise<Answer> =>
  callProven(app, by, 'POST', pathOf(to, `/${agent}/extend`), { headers: { 'if-match': `"${version}"` }, body: { expires_at } });
const endNow = (id: string) =>
  asSuperuser(app, "update user_agent_permissions set expires_at = now() - interval '1 hour' where id = $1", [id]);
const events = (id: string) => auditEvents(app, 'user_agent_permission', id);
const atEnd = (detail: RegExp) => ({
  status: 422,
  body: { code: 'request.invalid', errors: [{ pointer: '/expires_at', detail: expect.stringMatching(detail) as unknown }] },
});
const beyond = (detail: RegExp, missing_permissions?: string[]) => ({
  status: 403,
  body: {
    code: 'role.grant-exceeds-own',
    detail: expect.stringMatching(detail) as unknown,
    ...(missing_permissions === undefined ? {} : { missing_permissions }),
  },
});

describe('S4-26: whoever is an administrator of modules until a time', () => {
  it('grants until then at most', async () => {
    const [temporary, person] = [await newMember(app, admin, ['role-super-admin']), await newMember(app, admin)];
    await asSuperuser(app, "update admin_role_assignments set valid_until = now() + interval '2 days' where user_id = $1", [temporary.user_id]);
    const body = { agent_name: 'pdf_processing', can_read: true };
    expect(await grant(temporary, person, body)).toMatchObject(beyond(/cannot end later/));
    expect(await grant(temporary, person, { ...body, expires_at: inDays(3) })).toMatchObject(beyond(/until .* yourself/));
    const given = await grant(temporary, person, { ...body, expires_at: inDays(1) });
    expect(given.status).toBe(201);
    expect(await extend(temporary, person, 'pdf_processing', 1, null)).toMatchObject(beyond(/cannot end later/));
    // An own permission without an end counts beside the role.
    expect((await grant(admin, temporary, body)).status).toBe(201);
    expect((await extend(temporary, person, 'pdf_processing', 1, null)).status).toBe(200);
  });
});

describe('S4-3: the end of a module permission', () => {
  it('is in the future when it is granted or changed; what is sent back as it was stays as it is', async () => {
    const person = await newMember(app, admin);
    const body = { agent_name: 'pdf_processing', can_read: true };
    expect(await grant(admin, person, { ...body, expires_at: fromNow(-1) })).toMatchObject(atEnd(/future/));
    const given = await grant(admin, person, { ...body, expires_at: inDays(10) });
    expect(given.status).toBe(201);
    expect(await put(admin, person, 'pdf_processing', 1, { can_read: true, expires_at: fromNow(-hour) })).toMatchObject(atEnd(/future/));
    await endNow(given.body.id);
    const shown = await app.call('GET', pathOf(person, '/pdf_processing'), { token: admin.token });
    expect(shown.body.is_expired).toBe(true);
    const second = await newMember(app, admin, ['role-super-admin']);
    expect(await put(second, person, 'pdf_processing', 1, shown.body)).toMatchObject({ status: 200, body: { version: 1, granted_by: admin.user_id } });
    expect(await put(admin, person, 'pdf_processing', 1, { ...shown.body, can_delete: true })).toMatchObject(atEnd(/future/));
  });

  it('S4-25: is moved later or taken away at the version that was read, and gives back what has expired', async () => {
    const person = await newMember(app, admin);
    const first = inDays(5);
    const given = await grant(admin, person, { agent_name: 'reports_analysis', can_read: true, expires_at: first });
    const { id } = given.body;
    expect(await extend(admin, person, 'reports_analysis', 1, first)).toMatchObject(atEnd(/later than/));
    expect(await extend(admin, person, 'reports_analysis', 1, inDays(4))).toMatchObject(atEnd(/later than/));
    expect(await extend(admin, person, 'reports_analysis', 1, fromNow(-1))).toMatchObject(atEnd(/future/));
    expect(await extend(admin, person, 'reports_analysis', 7, inDays(9))).toMatchObject({ status: 412, body: { current_version: 1 } });
    const bare = await callProven(app, admin, 'POST', pathOf(person, '/reports_analysis/extend'), { body: { expires_at: null } });
    expect(bare.status).toBe(428);
    const second = await newMember(app, admin, ['role-super-admin']);
    const later = await extend(second, person, 'reports_analysis', 1, inDays(9));
    expect(later).toMatchObject({ status: 200, body: { version: 2, granted_by: second.user_id, can_read: true, is_expired: false } });
    expect(later.headers.get('etag')).toBe('"2"');
    await endNow(id);
    expect(await extend(admin, person, 'reports_analysis', 2, inDays(1))).toMatchObject({ status: 200, body: { is_expired: false } });
    expect(await extend(admin, person, 'reports_analysis', 3, null)).toMatchObject({ status: 200, body: { expires_at: null, version: 4 } });
    expect(await extend(admin, person, 'reports_analysis', 4, inDays(99))).toMatchObject(atEnd(/no end/));
    // The end that passed before the sweep came is recorded by the extension.
    const changes = (await events(id)).map((event) => event.replace('agent-permission.', ''));
    expect(changes).toEqual(['grant', 'extend', 'expire', 'extend', 'extend']);
    expect((await extend(admin, person, 'audio_recording', 1, null)).status).toBe(404);
  });

  it('that has passed is recorded before a permission is taken, and one that has not is not', async () => {
    const person = await newMember(app, admin);
    const ids: string[] = [];
    for (const agent_name of ['pdf_processing', 'audio_recording']) {
      ids.push((await grant(admin, person, { agent_name, can_read: true, expires_at: inDays(2) })).body.id);
    }
    await endNow(ids[0]!);
    for (const agent of ['/pdf_processing', '/audio_recording']) {
      expect((await callProven(app, admin, 'DELETE', pathOf(person, agent))).status).toBe(204);
    }
    expect(await events(ids[0]!)).toEqual(['agent-permission.grant', 'agent-permission.expire', 'agent-permission.revoke']);
    expect(await events(ids[1]!)).toEqual(['agent-permission.grant', 'agent-permission.revoke']);
  });

  it('is extended once by two at one time', async () => {
    const person = await newMember(app, admin);
    const { body } = await grant(admin, person, { agent_name: 'pdf_processing', can_read: true, expires_at: inDays(1) });
    const headers = { 'if-match': '"1"' };
    const calls = await Promise.all(
      [2, 3, 4].map((days) =>
        provenCall(app, admin, 'POST', pathOf(person, '/pdf_processing/extend'), { headers, body: { expires_at: inDays(days) } }),
      ),
    );
    const statuses = (await Promise.all(calls.map((call) => call()))).map(({ status }) => status).sort((a, b) => a - b);
    expect(statuses).toEqual([200, 412, 412]);
    expect(await events(body.id)).toEqual(['agent-permission.grant', 'agent-permission.extend']);
  });

  it('is extended by nobody without token or permission, for oneself, in another tenant, or with invalid input', async () => {
    const person = await newMember(app, admin);
    await grant(admin, person, { agent_name: 'pdf_processing', can_read: true, expires_at: inDays(1) });
    const path = pathOf(person, '/pdf_processing/extend');
    const body = { expires_at: inDays(2) };
    const headers = { 'if-match': '"1"' };
    expect((await app.call('POST', path, { body, headers })).status).toBe(401);
    expect(await app.call('POST', path, { body, headers, token: person.token })).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    expect(await app.call('POST', path, { body, headers, token: admin.token })).toMatchObject({ status: 403, body: { code: 'mfa.required' } });
    const stranger = await app.signIn('role-super-admin');
    expect((await callProven(app, stranger, 'POST', path, { body, headers })).status).toBe(404);
    const own = await callProven(app, admin, 'POST', pathOf(admin, '/pdf_processing/extend'), { body, headers });
    expect(own.body.code).toBe('role.own-rights');
    for (const bad of [{}, { expires_at: 'tomorrow' }, { expires_at: 5 }, { ...body, can_read: true }]) {
      expect((await app.call('POST', path, { body: bad, headers, token: admin.token })).status).toBe(422);
    }
  });
});

describe('S4-26: nobody grants what they lack', () => {
  it('an action in a module takes the same action in the same module, which the refusal names', async () => {
    const person = await newMember(app, admin);
    const wanted = { agent_name: 'client_management', can_read: true, can_delete: true };
    expect(await grant(granter, person, wanted)).toMatchObject(
      beyond(/client_management.*: read, delete/, ['agent-module:client_management:read', 'agent-module:client_management:delete']),
    );
    expect((await grant(granter, person, { agent_name: 'audio_recording' })).status).toBe(201);
    await grant(admin, granter, { agent_name: 'client_management', can_read: true });
    await grant(admin, granter, { agent_name: 'pdf_processing', can_delete: true });
    expect(await grant(granter, person, wanted)).toMatchObject(beyond(/: delete/, ['agent-module:client_management:delete']));
    expect((await grant(granter, person, { ...wanted, can_delete: false })).status).toBe(201);
    expect(await put(granter, person, 'client_management', 1, { can_read: true, can_update: true })).toMatchObject(beyond(/: update/));
    expect((await put(admin, person, 'client_management', 1, { can_update: true, expires_at: inDays(1) })).status).toBe(200);
    expect(await extend(granter, person, 'client_management', 2, null)).toMatchObject(beyond(/: update/));
    // Taking is no granting.
    expect((await callProven(app, granter, 'DELETE', pathOf(person, '/client_management'))).status).toBe(204);
  });

  it('nor beyond the end of their own, and nothing once that has passed', async () => {
    const person = await newMember(app, admin);
    const end = inDays(6);
    const own = await grant(admin, granter, { agent_name: 'reports_analysis', can_read: true, expires_at: end });
    const read = { agent_name: 'reports_analysis', can_read: true };
    expect(await grant(granter, person, read)).toMatchObject(beyond(/until/));
    expect(await grant(granter, person, { ...read, expires_at: inDays(7) })).toMatchObject(beyond(/until/));
    expect((await grant(granter, person, { ...read, expires_at: inDays(3) })).status).toBe(201);
    expect(await extend(granter, person, 'reports_analysis', 1, null)).toMatchObject(beyond(/until/));
    expect((await extend(granter, person, 'reports_analysis', 1, end)).status).toBe(200);
    expect(await put(granter, person, 'reports_analysis', 2, { can_read: true })).toMatchObject(beyond(/until/));
    await endNow(own.body.id);
    expect(await put(granter, person, 'reports_analysis', 2, { can_read: true, expires_at: inDays(1) })).toMatchObject(beyond(/: read/));
  });

  it('also when the own permission is taken at the same time: one of the two comes first', async () => {
    for (let round = 0; round < 5; round += 1) {
      const person = await newMember(app, admin);
      await grant(admin, granter, { agent_name: 'audio_recording', can_create: true });
      const give = await provenCall(app, granter, 'POST', pathOf(person), { body: { agent_name: 'audio_recording', can_create: true } });
      const take = await provenCall(app, admin, 'DELETE', pathOf(granter, '/audio_recording'));
      const [given, taken] = await Promise.all([give(), take()]);
      expect([201, 403]).toContain(given.status);
      expect(taken.status).toBe(204);
      const { body } = await app.call('GET', pathOf(person), { token: admin.token });
      expect(body.items).toHaveLength(given.status === 201 ? 1 : 0);
    }
  });
});
