import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { newMember, roleIds, secondTenant } from '../../support/people.ts';
import type { Member } from '../../support/people.ts';
import { callProven, factorProof } from '../../support/second-factor.ts';

let app: TestApi;
let admin: Member;
let provider: Member;

beforeAll(async () => {
  app = await startTestApi();
  ({ admin } = await secondTenant(app));
  provider = await newMember(app, admin, ['role-provider-admin']);
});

afterAll(async () => {
  await app.close();
});

async function createRole(by: Member, body: Record<string, unknown>) {
  const code = `desk-${randomUUID().slice(0, 8)}`;
  return callProven(app, by, 'POST', '/admin/roles', { body: { code, name: code, permissions: [], ...body } });
}

async function matrixOf(id: string, by = admin) {
  const answer = await app.call('GET', `/admin/roles/${id}/permissions`, { token: by.token });
  return { ...answer, etag: answer.headers.get('etag') ?? '' };
}

async function setMatrix(by: Member, id: string, permissions: string[], etag?: string) {
  const headers = { 'if-match': etag ?? (await matrixOf(id)).etag };
  return callProven(app, by, 'PUT', `/admin/roles/${id}/permissions`, { headers, body: { permissions } });
}

const assign = (by: Member, user: Member, body: Record<string, unknown>, headers: Record<string, string> = {}) =>
  callProven(app, by, 'POST', `/admin/users/${user.user_id}/roles`, { body, headers });

const permissionsOf = async (person: Member): Promise<string[]> =>
  (await app.call('GET', '/users/me', { token: person.token })).body.permissions;

describe('roles', () => {
  it('S2-10: are listed with hierarchy and effective permissions; a child inherits, also from a changed parent', async () => {
    const parent = await createRole(admin, { permissions: ['user:read'] });
    const child = await createRole(admin, { permissions: ['lead:read'], parent_role_id: parent.body.id });
    expect(child).toMatchObject({ status: 201, body: { ancestors: [parent.body.code], effective_permissions: ['user:read', 'lead:read'] } });
    const person = await newMember(app, admin);
    expect((await assign(admin, person, { role_id: child.body.id })).status).toBe(201);
    expect(await permissionsOf(person)).toEqual(['user:read', 'lead:read']);
    expect((await setMatrix(admin, parent.body.id, ['role:read'])).status).toBe(200);
    expect(await permissionsOf(person)).toEqual(['role:read', 'lead:read']);
    const list = await app.call('GET', '/admin/roles', { token: admin.token });
    expect(list.body.items.filter((role: { is_system_role: boolean }) => role.is_system_role)).toHaveLength(7);
  });

  it('S2-71: no role becomes its own ancestor, not even by two changes at the same time', async () => {
    const second = await newMember(app, admin, ['role-super-admin']);
    const [one, two] = [await createRole(admin, {}), await createRole(admin, {})];
    const move = (by: Member, id: string, parent_role_id: string) =>
      callProven(app, by, 'PUT', `/admin/roles/${id}`, { headers: { 'if-match': '"1"' }, body: { parent_role_id } });
    const answers = await Promise.all([move(admin, one.body.id, two.body.id), move(second, two.body.id, one.body.id)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('role.cycle');
  });

  it('S2-12: the super admin role cannot be changed, inherited or copied by its code; a system role keeps its name', async () => {
    const [superRole, juniorRole] = await roleIds(app, admin, ['role-super-admin', 'role-junior-agent']);
    const second = await newMember(app, admin, ['role-super-admin']);
    expect((await setMatrix(second, superRole ?? '', ['user:read'])).body.code).toBe('role.immutable');
    expect((await createRole(second, { parent_role_id: superRole })).body.code).toBe('role.immutable');
    expect((await createRole(second, { code: 'role-super-admin' })).status).toBe(422);
    const renamed = await callProven(app, second, 'PUT', `/admin/roles/${juniorRole}`, {
      headers: { 'if-match': '"1"' },
      body: { name: 'Mine' },
    });
    expect(renamed.body.code).toBe('role.immutable');
  });

  it('S2-71: nobody grants a permission that they lack, by role, matrix or parent, and nobody changes a role of their own', async () => {
    const [superRole, providerRole, supportRole] = await roleIds(app, admin, [
      'role-super-admin',
      'role-provider-admin',
      'role-support-staff',
    ]);
    const friend = await newMember(app, provider);
    const tooMuch = await assign(provider, friend, { role_id: superRole });
    expect(tooMuch).toMatchObject({ status: 403, body: { code: 'role.grant-exceeds-own' } });
    expect(tooMuch.body.missing_permissions).toContain('tenant:manage');
    expect((await setMatrix(provider, supportRole ?? '', ['tenant:manage'])).body.code).toBe('role.grant-exceeds-own');
    expect((await createRole(provider, { permissions: ['audit:verify'] })).body.code).toBe('role.grant-exceeds-own');
    expect((await setMatrix(provider, providerRole ?? '', [])).body.code).toBe('role.own-rights');
    expect((await assign(provider, provider, { role_id: supportRole })).body.code).toBe('role.own-rights');
    expect((await assign(provider, friend, { role_id: supportRole })).status).toBe(201);
  });

  it('S2-11: the matrix of one tenant does not apply in another, and a stale version is refused', async () => {
    const [policyholder] = await roleIds(app, admin, ['role-policyholder']);
    const before = await matrixOf(policyholder ?? '');
    expect((await setMatrix(admin, policyholder ?? '', ['profile:read'])).body.permissions).toEqual(['profile:read']);
    expect((await setMatrix(admin, policyholder ?? '', [], before.etag)).status).toBe(412);
    const elsewhere = await app.signIn('role-provider-admin');
    const theirs = await app.call('GET', `/admin/roles/${policyholder}/permissions`, { token: elsewhere.token });
    expect(theirs.body.permissions).toEqual(before.body.permissions);
    const own = await createRole(admin, {});
    expect((await app.call('GET', `/admin/roles/${own.body.id}/permissions`, { token: elsewhere.token })).status).toBe(404);
  });

  it('S2-10: a role in use cannot be deleted; one that nobody holds can, and its code is free again', async () => {
    const by = await newMember(app, admin, ['role-super-admin']);
    const role = await createRole(by, {});
    const held = await assign(by, provider, { role_id: role.body.id });
    const remove = () => callProven(app, by, 'DELETE', `/admin/roles/${role.body.id}`, { headers: { 'if-match': '"1"' } });
    expect((await remove()).body.code).toBe('role.in-use');
    await callProven(app, by, 'DELETE', `/admin/users/${provider.user_id}/roles/${held.body.id}`);
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    expect((await createRole(by, { code: role.body.code })).status).toBe(201);
  });

  it('are refused with invalid input, without a token and without the permission', async () => {
    const person = await newMember(app, admin, ['role-junior-agent']);
    for (const [method, path] of [
      ['GET', '/admin/roles'],
      ['POST', '/admin/roles'],
      ['PUT', `/admin/roles/${randomUUID()}/permissions`],
      ['GET', '/admin/role-assignments/history'],
    ] as const) {
      const body = method === 'GET' ? undefined : {};
      expect((await app.call(method, path, { body })).status).toBe(401);
      expect((await app.call(method, path, { body, token: person.token })).status).toBe(403);
    }
    const bad = await app.call('POST', '/admin/roles', { token: admin.token, body: { code: 'X', permissions: ['a:b'] } });
    expect(bad.status).toBe(422);
    expect((await matrixOf(randomUUID())).status).toBe(404);
  });
});

describe('assignments', () => {
  it('S2-13: are made once per Idempotency-Key, and the same role is not assigned twice', async () => {
    const by = await newMember(app, admin, ['role-super-admin']);
    const person = await newMember(app, by);
    const [role_id] = await roleIds(app, by, ['role-support-staff']);
    const path = `/admin/users/${person.user_id}/roles`;
    const asked = await app.call('POST', path, { token: by.token, body: { role_id } });
    const headers = { 'x-mfa-token': await factorProof(app, by, asked.body), 'idempotency-key': randomUUID() };
    const first = await app.call('POST', path, { token: by.token, body: { role_id }, headers });
    const again = await app.call('POST', path, { token: by.token, body: { role_id }, headers });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual(first.body);
    expect((await assign(by, person, { role_id })).status).toBe(409);
  });

  it('end by themselves at their end or at a missed review', async () => {
    const by = await newMember(app, admin, ['role-super-admin']);
    const person = await newMember(app, by);
    const [support, junior, senior] = await roleIds(app, by, ['role-support-staff', 'role-junior-agent', 'role-senior-agent']);
    const soon = new Date(Date.now() + 10_000).toISOString();
    expect((await assign(by, person, { role_id: support, valid_until: soon })).status).toBe(201);
    const reviewed = await assign(by, person, { role_id: junior, review_due_at: soon });
    expect(reviewed.status).toBe(201);
    expect((await app.call('GET', '/users/me', { token: person.token })).body.roles).toHaveLength(2);
    await new Promise((resolve) => setTimeout(resolve, Date.parse(soon) - Date.now() + 100));
    expect((await app.call('GET', '/users/me', { token: person.token })).body).toMatchObject({ roles: [], permissions: [] });
    const late = await callProven(app, by, 'PUT', `/admin/users/${person.user_id}/roles/${reviewed.body.id}/review`, {
      body: { review_due_at: null },
    });
    expect(late.status).toBe(409);
    expect((await assign(by, person, { role_id: junior })).status).toBe(201);
    expect((await assign(by, person, { role_id: senior, valid_until: '2020-01-01T00:00:00Z' })).status).toBe(422);
    const history = await app.call('GET', `/admin/role-assignments/history?user_id=${person.user_id}`, { token: by.token });
    expect(history.body.items.map((row: { role_code: string }) => row.role_code)).toEqual([
      'role-junior-agent',
      'role-junior-agent',
      'role-support-staff',
    ]);
    expect(history.body.items[1].revoked_at).toBe(history.body.items[1].review_due_at);
  });

  it('S2-13: show what a person could do on a date, who assigned it, and what the role gave then', async () => {
    const by = await newMember(app, admin, ['role-super-admin']);
    const person = await newMember(app, by);
    const moment = async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      const now = new Date().toISOString();
      await new Promise((resolve) => setTimeout(resolve, 30));
      return now;
    };
    const rightsAt = async (at: string) =>
      (await app.call('GET', `/admin/users/${person.user_id}/rights?at=${at}`, { token: by.token })).body;
    const role = await createRole(by, { permissions: ['user:read'] });
    const nothing = await moment();
    const given = await assign(by, person, { role_id: role.body.id, reason: 'covers the desk' });
    const narrow = await moment();
    await setMatrix(by, role.body.id, ['role:read', 'user:read']);
    const wide = await moment();
    await callProven(app, by, 'DELETE', `/admin/users/${person.user_id}/roles/${given.body.id}`);
    const after = await moment();
    expect(await rightsAt(nothing)).toMatchObject({ status: 'active', permissions: [], assignments: [] });
    expect(await rightsAt(narrow)).toMatchObject({
      permissions: ['user:read'],
      assignments: [{ id: given.body.id, assigned_by: by.user_id, reason: 'covers the desk', approval_id: null }],
      role_definitions: [{ role_id: role.body.id, changed_by: by.user_id }],
    });
    expect((await rightsAt(wide)).permissions).toEqual(['user:read', 'role:read']);
    expect((await rightsAt(after)).permissions).toEqual([]);
    expect(await rightsAt('2000-01-01T00:00:00Z')).toMatchObject({ status: null, permissions: [] });
    const ledger = await app.call('GET', `/admin/role-assignments/history?role_id=${role.body.id}&at=${narrow}`, {
      token: by.token,
    });
    expect(ledger.body.items).toEqual([expect.objectContaining({ id: given.body.id, revoked_by: by.user_id })]);
    const current = await app.call('GET', `/admin/users/${person.user_id}/rights`, { token: by.token });
    expect(current.body.permissions).toEqual([]);
  });
});
