import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { measureTenant } from '../../../src/activities/health/health-tenant.probe.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { makePerson, newMember, secondTenant } from '../../support/people.ts';
import type { Member, OtherTenant } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let app: TestApi;

beforeAll(async () => {
  app = await startTestApi();
});

afterAll(async () => {
  await app.close();
});

type Person = Pick<Member, 'user_id' | 'token' | 'session_id'>;

const show = async ({ token }: Pick<Member, 'token'>) => (await app.call('GET', '/admin/dashboard', { token })).body.sections.four_eyes;

/** A tenant whose administrator has made another one alone. */
async function madeAlone(): Promise<OtherTenant & { made: Member }> {
  const tenant = await secondTenant(app);
  return { ...tenant, made: await newMember(app, tenant.admin, ['role-super-admin']) };
}

async function confirm(by: Person, userId: string): Promise<void> {
  const open = await app.call('GET', `/admin/account-acts?user_id=${userId}&state=open`, { token: by.token });
  const acts = open.body.items.map(({ id }: { id: string }) => id);
  const confirmed = await callProven(app, by, 'POST', `/admin/users/${userId}/confirm`, { body: { how: 'in_person', acts } });
  expect(confirmed.status).toBe(204);
}

const removed = (userId: string) => asSuperuser(app, "update users set status = 'inactive' where id = $1", [userId]);

describe('the section four_eyes of the dashboard', () => {
  it('says of one administrator that there is no pair, and one super admin', async () => {
    const { admin } = await secondTenant(app);
    expect(await show(admin)).toEqual({
      state: 'ok',
      link: '/admin/account-acts?state=open',
      as_of: expect.any(String),
      age_seconds: 0,
      data: { has_pair: false, decider_count: 1, super_admin_count: 1, warnings: ['no_pair', 'one_super_admin'] },
    });
  });

  it('says that two are no pair while one has made the other alone, whoever else has acted on whom', async () => {
    const { admin, made } = await madeAlone();
    expect((await show(admin)).data).toEqual({ has_pair: false, decider_count: 2, super_admin_count: 2, warnings: ['no_pair'] });
    await asSuperuser(app, "insert into account_acts (tenant_id, target_id, actor_id, kind) select tenant_id, id, $1, 'address' from users where id = $2", [
      made.user_id,
      admin.user_id,
    ]);
    expect((await show(made)).data).toMatchObject({ has_pair: false, warnings: ['no_pair'] });
  });

  it('warns of the last pair of two who are apart, and before that of everybody whose leaving would end all pairs', async () => {
    const { tenant_id, admin, made } = await madeAlone();
    const apart = await makePerson(app, tenant_id, 'role-provider-admin');
    // Two pairs, and the same person in both.
    expect((await show(admin)).data).toEqual({ has_pair: true, decider_count: 3, super_admin_count: 2, warnings: ['last_pair'] });
    await removed(made.user_id);
    expect((await show(apart)).data).toEqual({
      has_pair: true,
      decider_count: 2,
      super_admin_count: 1,
      warnings: ['last_pair', 'one_super_admin'],
    });
    await removed(apart.user_id);
    expect((await show(admin)).data).toMatchObject({ has_pair: false, decider_count: 1, warnings: ['no_pair', 'one_super_admin'] });
  });

  it('is measured for health as well, so that a tenant can have an alert on it', async () => {
    const { tenant_id, admin, made } = await madeAlone();
    const measured = async () => {
      const all = await measureTenant(app.api.deps.db, tenant_id, new Date().toISOString());
      return Object.fromEntries(all.flatMap(({ metric, value }) => (/^approvals\.(pairs|super)/.test(metric) ? [[metric, value]] : [])));
    };
    expect(await measured()).toEqual({ 'approvals.pairs': 0, 'approvals.super_admins': 2 });
    const apart = await makePerson(app, tenant_id, 'role-provider-admin');
    expect(await measured()).toEqual({ 'approvals.pairs': 1, 'approvals.super_admins': 2 });
    await confirm(apart, made.user_id);
    expect(await measured()).toEqual({ 'approvals.pairs': 2, 'approvals.super_admins': 2 });
    const threshold = { name: 'No second person', metric: 'approvals.pairs', comparator: 'lt', threshold: 1 };
    const headers = { 'if-match': '"0"' };
    const set = await callProven(app, admin, 'PUT', '/admin/system-health/alerts', { body: { thresholds: [threshold] }, headers });
    expect(set).toMatchObject({ status: 200 });
  });

  it('warns of nothing once three are apart, by a confirmation', async () => {
    const { tenant_id, admin, made } = await madeAlone();
    const apart = await makePerson(app, tenant_id, 'role-super-admin');
    expect((await show(admin)).data.warnings).toEqual(['last_pair']);
    await confirm(apart, made.user_id);
    expect((await show(admin)).data).toEqual({ has_pair: true, decider_count: 3, super_admin_count: 3, warnings: [] });
  });

  it('counts who decides by a role of the tenant, also an inherited one, and nobody of another tenant', async () => {
    const { tenant_id, admin } = await secondTenant(app);
    const create = (code: string, body: object) =>
      callProven(app, admin, 'POST', '/admin/roles', { body: { code, name: code, ...body } });
    const deciding = await create('deciding', { permissions: ['approval:decide', 'dashboard:read'] });
    expect(deciding.status).toBe(201);
    const heir = await create('heir', { permissions: [], parent_role_id: deciding.body.id });
    expect(heir.status).toBe(201);
    const person = await makePerson(app, tenant_id, 'role-junior-agent');
    const given = await callProven(app, admin, 'POST', `/admin/users/${person.user_id}/roles`, { body: { role_id: heir.body.id } });
    expect(given.status).toBe(201);
    // Who decides without being an administrator makes no pair.
    const expected = { has_pair: false, decider_count: 2, super_admin_count: 1, warnings: ['no_pair', 'one_super_admin'] };
    expect((await show(person)).data).toEqual(expected);
    await makePerson(app, (await secondTenant(app)).tenant_id, 'role-super-admin');
    expect((await show(admin)).data).toEqual(expected);
  });

  it('is for whoever may see the dashboard', async () => {
    const [support, agent] = [await app.signIn('role-support-staff'), await app.signIn('role-junior-agent')];
    expect(await show(support)).toMatchObject({ state: 'ok', data: { has_pair: true, warnings: [] } });
    const refused = await app.call('GET', '/admin/dashboard', { token: agent.token });
    expect(refused.body).toMatchObject({ code: 'auth.forbidden', permission: 'dashboard:read' });
  });
});
