import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { callApi, startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { newMember, secondTenant } from '../../support/people.ts';
import type { Member } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';

let app: TestApi;
let admin: Member;

beforeAll(async () => {
  app = await startTestApi();
  ({ admin } = await secondTenant(app));
});

afterAll(async () => {
  await app.close();
});

const issue = (by: Member, body: Record<string, unknown>) =>
  callProven(app, by, 'POST', '/admin/service-tokens', { body: { name: 'probe', ...body } });

describe('service tokens', () => {
  it('are shown once, stored as a hash, and have the permissions they were given and no others', async () => {
    const issued = await issue(admin, { permissions: ['role:read'] });
    expect(issued.status).toBe(201);
    const { id, token } = issued.body;
    expect((await app.call('GET', '/admin/roles', { token })).status).toBe(200);
    expect((await app.call('GET', '/admin/users', { token })).status).toBe(403);
    expect((await app.call('GET', '/users/me', { token })).status).toBe(403);
    const list = await app.call('GET', '/admin/service-tokens', { token: admin.token });
    expect(list.body.items[0]).toMatchObject({ id, last4: token.slice(-4), created_by: admin.user_id });
    expect(JSON.stringify(list.body)).not.toContain(token);
    const rows = await asSuperuser(app, 'select t::text from service_tokens t');
    expect(JSON.stringify(rows)).not.toContain(token);
  });

  it('never pass a factor gate', async () => {
    const { token } = (await issue(admin, { permissions: ['user:create', 'user:read'] })).body;
    const body = { full_name: 'By Machine', email: 'machine@members.example' };
    const answer = await app.call('POST', '/admin/users', { token, body });
    expect(answer).toMatchObject({ status: 403, body: { code: 'mfa.required' } });
    const challenge = await app.call('POST', '/admin/mfa/request', {
      token,
      body: { action: 'createUser', payload_digest: answer.body.payload_digest },
    });
    expect(challenge.status).toBe(403);
  });

  it('are refused on every process within a second of their revocation', async () => {
    const other = await app.another();
    const { id, token } = (await issue(admin, { permissions: ['role:read'] })).body;
    expect((await callApi(other.url, 'GET', '/admin/roles', { token })).status).toBe(200);
    expect((await callProven(app, admin, 'DELETE', `/admin/service-tokens/${id}`)).status).toBe(204);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await callApi(other.url, 'GET', '/admin/roles', { token })).status).toBe(401);
    expect((await callProven(app, admin, 'DELETE', `/admin/service-tokens/${id}`)).status).toBe(404);
  });

  it('expire', async () => {
    const expires_at = new Date(Date.now() + 10_000).toISOString();
    const { token } = (await issue(admin, { permissions: ['role:read'], expires_at })).body;
    expect((await app.call('GET', '/admin/roles', { token })).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, Date.parse(expires_at) - Date.now() + 50));
    expect((await app.call('GET', '/admin/roles', { token })).status).toBe(401);
  });

  it('S2-71: get no permission that their creator lacks, and are managed only with the permission to', async () => {
    const provider = await newMember(app, admin, ['role-provider-admin']);
    expect((await issue(provider, { permissions: ['tenant:manage'] })).body.code).toBe('role.grant-exceeds-own');
    const junior = await newMember(app, admin, ['role-junior-agent']);
    expect((await issue(junior, { permissions: ['role:read'] })).status).toBe(403);
    expect((await app.call('GET', '/admin/service-tokens')).status).toBe(401);
    expect((await issue(admin, { permissions: [] })).status).toBe(422);
    const { id } = (await issue(admin, { permissions: ['role:read'] })).body;
    const elsewhere = await app.signIn('role-provider-admin');
    const foreign = await callProven(app, elsewhere, 'DELETE', `/admin/service-tokens/${id}`);
    expect(foreign.status).toBe(404);
    expect((await app.call('GET', '/admin/roles', { token: `cst_${'0'.repeat(64)}${'x'.repeat(43)}` })).status).toBe(401);
  });
});
