import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { withClient } from '../../../src/dev/bootstrap-database.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { newMember, secondTenant, testPassword } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';

let app: TestApi;
let other: OtherTenant;
let root: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  other = await secondTenant(app);
  root = await app.signIn('role-super-admin', 1);
});

afterAll(async () => {
  await app.close();
});

function tenantBody(change: Record<string, unknown> = {}) {
  const domain = `t-${randomUUID()}.example`;
  const super_admin = { full_name: 'First', email: `first@${domain}`, password: testPassword() };
  return { name: 'Third', domain, super_admin, ...change };
}

describe('tenants', () => {
  it('S1-19, S1-63: are created with their first super admin, who sees nothing of other tenants', async () => {
    const own = await app.call('GET', '/admin/tenant', { token: other.admin.token });
    expect(own.body).toMatchObject({ id: other.tenant_id, status: 'active', version: 1 });
    const me = await app.call('GET', '/users/me', { token: other.admin.token });
    expect(me.body).toMatchObject({ tenant_id: other.tenant_id, roles: ['role-super-admin'], role: 'sysadmin' });
    const users = await app.call('GET', '/admin/users', { token: other.admin.token });
    expect(users.body.items.map(({ id }: { id: string }) => id)).toEqual([other.admin.user_id]);
  });

  it('S1-20: are listed and created by the staff of the default tenant only', async () => {
    const list = await app.call('GET', '/tenants?limit=1', { token: root.token });
    expect(list.body.items[0].id).toBe(other.tenant_id);
    const next = await app.call('GET', `/tenants?limit=1&cursor=${list.body.next_cursor}`, { token: root.token });
    expect(next.body.items[0]).toMatchObject({ id: defaultTenantId, domain: 'agentmitra.com' });
    expect((await app.call('GET', '/tenants', { token: other.admin.token })).status).toBe(403);
    const made = await callProven(app, other.admin, 'POST', '/tenants', { body: tenantBody() });
    expect(made).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    const provider = await app.signIn('role-provider-admin');
    expect((await app.call('POST', '/tenants', { token: provider.token, body: tenantBody() })).status).toBe(403);
    expect((await app.call('POST', '/tenants', { body: tenantBody() })).status).toBe(401);
  });

  it('are created and listed by functions of the database that only the default tenant may call', async () => {
    await withClient(app.database.appUrl, async (client) => {
      await client.query("select set_config('app.tenant_id', $1, false)", [other.tenant_id]);
      const opened = client.query("select tenant_create_empty($1, 'X', 'x.example', 'IN', 'INR', 'UTC', 'none')", [randomUUID()]);
      await expect(opened).rejects.toThrow('from the default tenant only');
      const { rows } = await client.query('select * from account_link_states(array(select id from account_links))');
      expect(rows).toEqual([]);
    });
    await expect(
      withClient(app.database.appUrl, async (client) => {
        await client.query("select set_config('app.tenant_id', $1, false)", [other.tenant_id]);
        await client.query("select tenant_create($1, 'X', 'x.example', 'IN', 'INR', 'UTC', 'none', $2, 'a@x.example', null, null, 'X')", [
          randomUUID(),
          randomUUID(),
        ]);
      }),
    ).rejects.toThrow('from the default tenant only');
    const listed = await withClient(app.database.appUrl, async (client) => {
      await client.query("select set_config('app.tenant_id', $1, false)", [other.tenant_id]);
      return client.query('select * from tenant_list(null, null, 10)');
    });
    expect(listed.rows).toEqual([]);
  });

  it('are not created with a domain that is taken, a weak password or invalid input', async () => {
    const taken = await callProven(app, root, 'POST', '/tenants', { body: tenantBody({ domain: 'agentmitra.com' }) });
    expect(taken.status).toBe(409);
    const bad = await app.call('POST', '/tenants', { token: root.token, body: tenantBody({ domain: 'x', currency: 'rupee' }) });
    expect(bad.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual(['/currency', '/domain']);
  });

  it('S1-10: are changed at the version that was read, and only with the permission', async () => {
    const put = (version: string, body: Record<string, unknown>) =>
      callProven(app, other.admin, 'PUT', '/admin/tenant', { headers: { 'if-match': version }, body });
    expect(await put('"1"', { currency: 'BRL', time_zone: 'America/Sao_Paulo' })).toMatchObject({
      status: 200,
      body: { currency: 'BRL', time_zone: 'America/Sao_Paulo', version: 2 },
    });
    expect((await put('"1"', { name: 'Late' })).status).toBe(412);
    expect((await put('"2"', { status: 'suspended' })).status).toBe(422);
    const provider = await newMember(app, other.admin, ['role-provider-admin']);
    const forbidden = await app.call('PUT', '/admin/tenant', { token: provider.token, body: { name: 'Mine' } });
    expect(forbidden.status).toBe(403);
  });
});
