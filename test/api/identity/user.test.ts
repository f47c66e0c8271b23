import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { callApi, startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { newMember, roleIds, secondTenant, signInMember, testPassword } from '../../support/people.ts';
import type { Member } from '../../support/people.ts';
import { callProven, factorProof, provenCall } from '../../support/second-factor.ts';

let app: TestApi;
let admin: Member;
let junior: Member;
let stranger: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  ({ admin } = await secondTenant(app));
  stranger = await app.signIn('role-provider-admin');
  junior = await newMember(app, admin, ['role-junior-agent']);
});

afterAll(async () => {
  await app.close();
});

const someone = () => ({ full_name: 'Asha Patel', email: `asha-${randomUUID()}@people.example` });

/** Another super admin of the tenant, so that the whole file does not use up one person's budget of codes. */
async function anotherAdmin(): Promise<Member> {
  return newMember(app, admin, ['role-super-admin']);
}

async function fetchUser(id: string, by: { token: string } = admin) {
  const answer = await app.call('GET', `/admin/users/${id}`, { token: by.token });
  return { ...answer, etag: answer.headers.get('etag') ?? '' };
}

describe('access to users', () => {
  const calls: [string, string][] = [
    ['GET', '/admin/users'],
    ['GET', '/api/admin/users'],
    ['GET', `/admin/users/${randomUUID()}`],
    ['POST', '/admin/users'],
    ['PUT', `/admin/users/${randomUUID()}`],
    ['DELETE', `/admin/users/${randomUUID()}`],
    ['POST', `/admin/users/${randomUUID()}/force-logout`],
    ['GET', `/admin/users/${randomUUID()}/sessions`],
    ['POST', `/admin/users/${randomUUID()}/roles`],
    ['DELETE', `/admin/users/${randomUUID()}/roles/${randomUUID()}`],
    ['GET', `/admin/users/${randomUUID()}/rights`],
  ];

  it.each(calls)('S2-57: %s %s is refused without a token and without the permission', async (method, path) => {
    const body = method === 'POST' || method === 'PUT' ? {} : undefined;
    expect((await app.call(method, path, { body })).status).toBe(401);
    const forbidden = await app.call(method, path, { token: junior.token, body });
    expect(forbidden).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
  });

  it('S2-4: people of another tenant are not found and not listed', async () => {
    expect((await fetchUser(junior.user_id, stranger)).status).toBe(404);
    const list = await app.call('GET', '/admin/users?limit=100', { token: stranger.token });
    expect(list.body.items.map(({ id }: { id: string }) => id)).not.toContain(junior.user_id);
    const changed = await callProven(app, stranger, 'PUT', `/admin/users/${junior.user_id}`, {
      headers: { 'if-match': '"1"' },
      body: { full_name: 'Taken Over' },
    });
    expect(changed.status).toBe(404);
  });
});

describe('lists', () => {
  it('X-4, S2-3: show counts and roles, filter by text, status and role, and page by keyset', async () => {
    const all = await app.call('GET', '/api/admin/users', { token: admin.token });
    expect(all.body.items[0]).toMatchObject({ campaign_count: 0, contact_count: 0 });
    const byRole = await app.call('GET', '/admin/users?role=role-junior-agent', { token: admin.token });
    expect(byRole.body.items).toEqual([expect.objectContaining({ id: junior.user_id, role: 'user' })]);
    const byText = await app.call('GET', `/admin/users?q=${junior.email.slice(0, 10)}`, { token: admin.token });
    expect(byText.body.items).toHaveLength(1);
    expect((await app.call('GET', '/admin/users?q=%25', { token: admin.token })).body.items).toEqual([]);
    const first = await app.call('GET', '/admin/users?limit=1', { token: admin.token });
    const second = await app.call('GET', `/admin/users?limit=1&cursor=${first.body.next_cursor}`, { token: admin.token });
    expect(second.body.items).toHaveLength(1);
    expect(second.body.items[0].id).not.toBe(first.body.items[0].id);
    expect((await app.call('GET', '/admin/users?cursor=x', { token: admin.token })).status).toBe(400);
  });
});

describe('creating', () => {
  it('S2-5: makes an account that can sign in, once per Idempotency-Key, and audits it', async () => {
    const by = await anotherAdmin();
    const password = testPassword();
    const body = { ...someone(), password, time_zone: 'Asia/Kolkata', job_title: 'Clerk' };
    const asked = await app.call('POST', '/admin/users', { token: by.token, body });
    expect(asked).toMatchObject({ status: 403, body: { code: 'mfa.required', action: 'user.create' } });
    const headers = { 'x-mfa-token': await factorProof(app, by, asked.body), 'idempotency-key': randomUUID() };
    const created = await app.call('POST', '/admin/users', { token: by.token, body, headers });
    expect(created).toMatchObject({ status: 201, body: { full_name: 'Asha Patel', status: 'active', roles: [], version: 1 } });
    expect(created.headers.get('location')).toBe(`/admin/users/${created.body.id}`);
    expect(JSON.stringify(created.body)).not.toContain('password');
    const again = await app.call('POST', '/admin/users', { token: by.token, body, headers });
    expect(again.status).toBe(201);
    expect(again.body.id).toBe(created.body.id);
    const { 'idempotency-key': _key, ...bare } = headers;
    const reused = await app.call('POST', '/admin/users', { token: by.token, body, headers: bare });
    expect(reused).toMatchObject({ status: 403, body: { code: 'mfa.required' } });
    await signInMember(app, { user_id: created.body.id, email: body.email, password });
    const rows = await asSuperuser(
      app,
      "select entry::text as entry, private::text as private from audit_logs where event = 'user.create' and resource_id = $1",
      [created.body.id],
    );
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(password);
  });

  it('S2-69: a proof for one payload is not accepted for another', async () => {
    const asked = await app.call('POST', '/admin/users', { token: admin.token, body: someone() });
    const headers = { 'x-mfa-token': await factorProof(app, admin, asked.body) };
    const other = await app.call('POST', '/admin/users', { token: admin.token, body: someone(), headers });
    expect(other).toMatchObject({ status: 403, body: { code: 'mfa.required' } });
  });

  it('S2-5: of two accounts with one address in a tenant the second is refused, also in parallel', async () => {
    const [one, two] = [await anotherAdmin(), await anotherAdmin()];
    const body = someone();
    const answers = await Promise.all([one, two].map((by) => callProven(app, by, 'POST', '/admin/users', { body })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  it('S2-5: names every fault of the input, and refuses a weak password', async () => {
    const bad = await app.call('POST', '/admin/users', {
      token: admin.token,
      body: { full_name: '', email: 'no', phone_number: '12', tenant_id: randomUUID(), roles: [{ role_id: 1 }] },
    });
    expect(bad.status).toBe(422);
    expect(bad.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(
      expect.arrayContaining(['/full_name', '/email', '/phone_number', '/tenant_id', '/roles/0/role_id']),
    );
    const weak = await callProven(app, admin, 'POST', '/admin/users', { body: { ...someone(), password: 'short' } });
    expect(weak).toMatchObject({ status: 422, body: { errors: [{ pointer: '/password', code: 'too-short' }] } });
    const nobody = await app.call('POST', '/admin/users', { token: admin.token, body: { full_name: 'No Address' } });
    expect(nobody.status).toBe(422);
  });
});

describe('changing', () => {
  it('S2-6: needs the version that was read; of two parallel changes of one version one succeeds', async () => {
    const [one, two] = [await anotherAdmin(), await anotherAdmin()];
    const path = `/admin/users/${junior.user_id}`;
    const { etag } = await fetchUser(junior.user_id);
    const body = { job_title: 'Agent' };
    expect((await app.call('PUT', path, { token: one.token, body })).status).toBe(428);
    const put = (by: Member, job_title: string) =>
      callProven(app, by, 'PUT', path, { headers: { 'if-match': etag }, body: { job_title } });
    const answers = await Promise.all([put(one, 'One'), put(two, 'Two')]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    const won = answers.find(({ status }) => status === 200);
    expect(won?.headers.get('etag')).not.toBe(etag);
    expect((await fetchUser(junior.user_id)).body.job_title).toBe(won?.body.job_title);
  });

  it('S2-71, S4-26: nobody changes the account of somebody with more rights, or deactivates themselves', async () => {
    const provider = await newMember(app, admin, ['role-provider-admin']);
    const target = await fetchUser(admin.user_id);
    const takeOver = await callProven(app, provider, 'PUT', `/admin/users/${admin.user_id}`, {
      headers: { 'if-match': target.etag },
      body: { email: 'mine@people.example' },
    });
    expect(takeOver).toMatchObject({ status: 403, body: { code: 'user.exceeds-own' } });
    const thrownOut = await callProven(app, provider, 'POST', `/admin/users/${admin.user_id}/force-logout`);
    expect(thrownOut).toMatchObject({ status: 403, body: { code: 'user.exceeds-own' } });
    const own = await fetchUser(provider.user_id);
    const off = await callProven(app, provider, 'PUT', `/admin/users/${provider.user_id}`, {
      headers: { 'if-match': own.etag },
      body: { status: 'inactive' },
    });
    expect(off).toMatchObject({ status: 403, body: { code: 'role.own-rights' } });
  });

  it('deactivation revokes every token on two processes within a second, and for good', async () => {
    const by = await anotherAdmin();
    const other = await app.another();
    const person = await newMember(app, by, ['role-senior-agent']);
    const path = `/admin/users/${person.user_id}`;
    for (const url of [app.url, other.url]) {
      expect((await callApi(url, 'GET', '/users/me', { token: person.token })).status).toBe(200);
    }
    const set = async (status: string) =>
      callProven(app, by, 'PUT', path, {
        headers: { 'if-match': (await fetchUser(person.user_id)).etag },
        body: { status },
      });
    expect((await set('inactive')).body).toMatchObject({ status: 'inactive', is_active: false });
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const url of [app.url, other.url]) {
      expect((await callApi(url, 'GET', '/users/me', { token: person.token })).status).toBe(401);
      const refreshed = await callApi(url, 'POST', '/auth/refresh', { body: { refresh_token: person.refresh_token } });
      expect(refreshed.status).toBe(401);
    }
    const { email, password } = person;
    expect((await app.call('POST', '/auth/login', { body: { email, password } })).status).toBe(401);
    expect((await set('active')).status).toBe(200);
    expect((await app.call('GET', '/users/me', { token: person.token })).status).toBe(401);
    expect((await app.call('POST', '/auth/login', { body: { email, password } })).status).toBe(200);
  });
});

describe('deleting', () => {
  it('S2-7, S2-72: asks who becomes the owner of what the person owns, ends sessions and roles, and keeps the row', async () => {
    const by = await anotherAdmin();
    const deactivated = await newMember(app, by, ['role-provider-admin']);
    const token = await callProven(app, deactivated, 'POST', '/admin/service-tokens', {
      body: { name: 'reports', permissions: ['flag:evaluate'] },
    });
    expect(token.status).toBe(201);
    const path = `/admin/users/${deactivated.user_id}`;
    const headers = { 'if-match': (await fetchUser(deactivated.user_id)).etag };
    const owns = await callProven(app, by, 'DELETE', path, { headers });
    expect(owns).toMatchObject({
      status: 409,
      body: { code: 'user.owns-things', owned: [{ resource: 'service_token', count: 1 }] },
    });
    const toNobody = await callProven(app, by, 'DELETE', `${path}?transfer_to=${deactivated.user_id}`, { headers });
    expect(toNobody.status).toBe(422);
    const stale = await callProven(app, by, 'DELETE', path, { headers: { 'if-match': '"99"' } });
    expect(stale.status).toBe(412);
    const gone = await callProven(app, by, 'DELETE', `${path}?transfer_to=${by.user_id}`, { headers });
    expect(gone.status).toBe(204);
    expect((await app.call('GET', '/users/me', { token: deactivated.token })).status).toBe(401);
    const row = await fetchUser(deactivated.user_id);
    expect(row.body).toMatchObject({ status: 'deleted', roles: [], role: 'user' });
    const tokens = await app.call('GET', '/admin/service-tokens', { token: by.token });
    expect(tokens.body.items[0]).toMatchObject({ name: 'reports', created_by: by.user_id });
    const twice = await callProven(app, by, 'DELETE', path, { headers: { 'if-match': row.etag } });
    expect(twice.status).toBe(404);
    const reborn = await callProven(app, by, 'POST', '/admin/users', { body: { full_name: 'New', email: deactivated.email } });
    expect(reborn.status).toBe(201);
  });

  it('S2-69: the new owner is part of what the factor proves', async () => {
    const person = await newMember(app, admin);
    const path = `/admin/users/${person.user_id}`;
    const headers = { 'if-match': (await fetchUser(person.user_id)).etag };
    const asked = await app.call('DELETE', path, { token: admin.token, headers });
    const proof = await factorProof(app, admin, asked.body);
    const other = await app.call('DELETE', `${path}?transfer_to=${junior.user_id}`, {
      token: admin.token,
      headers: { ...headers, 'x-mfa-token': proof },
    });
    expect(other).toMatchObject({ status: 403, body: { code: 'mfa.required' } });
  });
});

describe('sessions', () => {
  it('S2-8, S2-9: are listed, and a force logout ends them on every process', async () => {
    const by = await anotherAdmin();
    const other = await app.another();
    const person = await newMember(app, by, ['role-support-staff']);
    const listed = await app.call('GET', `/admin/users/${person.user_id}/sessions`, { token: by.token });
    expect(listed.body.items).toEqual([
      expect.objectContaining({ id: person.session_id, method: 'password', is_living: true, is_current: false }),
    ]);
    expect((await callApi(other.url, 'GET', '/users/me', { token: person.token })).status).toBe(200);
    const ended = await callProven(app, by, 'POST', `/admin/users/${person.user_id}/force-logout`);
    expect(ended).toMatchObject({ status: 200, body: { sessions_ended: 1 } });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await callApi(other.url, 'GET', '/users/me', { token: person.token })).status).toBe(401);
    const active = await app.call('GET', `/admin/users/${person.user_id}/sessions`, { token: by.token });
    expect(active.body.items).toEqual([]);
    const all = await app.call('GET', `/admin/users/${person.user_id}/sessions?state=all`, { token: by.token });
    expect(all.body.items[0]).toMatchObject({ revoke_reason: 'forced', is_living: false });
    expect((await app.call('GET', `/admin/users/${randomUUID()}/sessions`, { token: by.token })).status).toBe(404);
  });
});

describe('the last super admin', () => {
  it('S2-71: remains when the last two remove each other at the same time', async () => {
    const { tenant_id, admin: one } = await secondTenant(app);
    const [superRole] = await roleIds(app, one, ['role-super-admin']);
    const two = await newMember(app, one, ['role-super-admin']);
    const versions = await Promise.all([one, two].map((person) => fetchUser(person.user_id, one)));
    const calls = await Promise.all([
      provenCall(app, one, 'DELETE', `/admin/users/${two.user_id}`, { headers: { 'if-match': versions[1]?.etag ?? '' } }),
      provenCall(app, two, 'DELETE', `/admin/users/${one.user_id}`, { headers: { 'if-match': versions[0]?.etag ?? '' } }),
    ]);
    const answers = await Promise.all(calls.map((call) => call()));
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    const rows = await asSuperuser(
      app,
      `select u.id from users u join admin_role_assignments a on a.user_id = u.id
       where u.tenant_id = $1 and u.status = 'active' and a.role_id = $2 and a.revoked_at is null`,
      [tenant_id, superRole],
    );
    expect(rows).toHaveLength(1);
  });
});
