import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { newMember, secondTenant } from '../../support/people.ts';
import type { Member } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';

let app: TestApi;
let admin: Member;
let person: Member;

beforeAll(async () => {
  app = await startTestApi();
  ({ admin } = await secondTenant(app));
  person = await newMember(app, admin, ['role-junior-agent']);
});

afterAll(async () => {
  await app.close();
});

const path = (agent = '') => `/api/v1/users/${person.user_id}/agent-permissions${agent}`;

async function check(name: string, action: string, of = person) {
  const body = { user_id: of.user_id, agent_module: { name, action } };
  return (await app.call('POST', '/rbac/check-permission', { token: admin.token, body })).body;
}

describe('module permissions', () => {
  it('S4-3, S4-19: are granted, read, replaced and revoked, and replaced only at the version that was read', async () => {
    const body = { agent_name: 'pdf_processing', can_read: true };
    expect(await check('pdf_processing', 'read')).toEqual({ allowed: false, rule: 'no-rule' });
    const given = await callProven(app, admin, 'POST', path(), { body });
    expect(given).toMatchObject({ status: 201, body: { ...body, can_create: false, granted_by: admin.user_id } });
    expect((await callProven(app, admin, 'POST', path(), { body })).status).toBe(409);
    expect(await check('pdf_processing', 'read')).toEqual({ allowed: true, rule: 'agent-module:pdf_processing:read' });
    expect((await check('pdf_processing', 'delete')).allowed).toBe(false);
    const put = (version: string) =>
      callProven(app, admin, 'PUT', path('/pdf_processing'), { headers: { 'if-match': version }, body: { can_delete: true } });
    expect(await put('"1"')).toMatchObject({ status: 200, body: { can_read: false, can_delete: true, version: 2 } });
    expect((await put('"1"')).status).toBe(412);
    const read = await app.call('GET', path('/pdf_processing'), { token: admin.token });
    expect(read.headers.get('etag')).toBe('"2"');
    expect((await callProven(app, admin, 'DELETE', path('/pdf_processing'))).status).toBe(204);
    expect((await app.call('GET', path(), { token: admin.token })).body.items).toEqual([]);
    expect((await app.call('GET', path('/pdf_processing'), { token: admin.token })).status).toBe(404);
  });

  it('S4-25: are in force until they expire, which is checked at each use', async () => {
    const expires_at = new Date(Date.now() + 10_000).toISOString();
    const body = { agent_name: 'reports_analysis', can_read: true, expires_at };
    expect((await callProven(app, admin, 'POST', path(), { body })).status).toBe(201);
    expect((await check('reports_analysis', 'read')).allowed).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, Date.parse(expires_at) - Date.now() + 50));
    expect(await check('reports_analysis', 'read')).toEqual({ allowed: false, rule: 'agent-module-expired:reports_analysis' });
    const read = await app.call('GET', path('/reports_analysis'), { token: admin.token });
    expect(read.body.is_expired).toBe(true);
  });

  it('S4-26: a sysadmin may do everything without a grant', async () => {
    expect(await check('audio_recording', 'delete', admin)).toEqual({
      allowed: true,
      rule: 'agent-module-admin:role-super-admin',
    });
  });

  it('S4-26: are not given to, changed for, or taken from somebody with more rights', async () => {
    const provider = await newMember(app, admin, ['role-provider-admin']);
    const of = `/api/v1/users/${admin.user_id}/agent-permissions`;
    const refused = { status: 403, body: { code: 'user.exceeds-own' } };
    expect(await callProven(app, provider, 'POST', of, { body: { agent_name: 'audio_recording', can_read: true } })).toMatchObject(refused);
    const second = await newMember(app, admin, ['role-super-admin']);
    const given = await callProven(app, second, 'POST', of, { body: { agent_name: 'audio_recording', can_read: true } });
    expect(given.status).toBe(201);
    const change = { headers: { 'if-match': '"1"' }, body: { can_delete: true } };
    expect(await callProven(app, provider, 'PUT', `${of}/audio_recording`, change)).toMatchObject(refused);
    expect(await callProven(app, provider, 'DELETE', `${of}/audio_recording`)).toMatchObject(refused);
    const [role] = (await app.call('GET', '/admin/roles', { token: admin.token })).body.items.filter(({ code }: { code: string }) => code === 'role-junior-agent');
    expect(await callProven(app, provider, 'POST', `/admin/users/${admin.user_id}/roles`, { body: { role_id: role.id } })).toMatchObject(refused);
  });

  it('are refused without token or permission, in another tenant, for oneself, and for invalid input', async () => {
    const body = { agent_name: 'pdf_processing' };
    expect((await app.call('GET', path())).status).toBe(401);
    expect((await app.call('POST', path(), { token: person.token, body })).status).toBe(403);
    const stranger = await app.signIn('role-provider-admin');
    expect((await app.call('GET', path(), { token: stranger.token })).status).toBe(404);
    const own = await callProven(app, admin, 'POST', `/api/v1/users/${admin.user_id}/agent-permissions`, { body });
    expect(own.body.code).toBe('role.own-rights');
    const bad = await app.call('POST', path(), { token: admin.token, body: { agent_name: 'x', can_read: 1 } });
    expect(bad.body.errors).toHaveLength(2);
    expect((await app.call('GET', path('/x'), { token: admin.token })).status).toBe(404);
  });
});
