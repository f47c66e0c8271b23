import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RunningApi } from '../../../src/api/server.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { eventually, soonMs } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { secondTenant, signInMember } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';

let app: TestApi;
let elsewhere: RunningApi;
let root: SignedIn;
let other: OtherTenant;
let serviceToken: string;

beforeAll(async () => {
  app = await startTestApi();
  elsewhere = await app.another();
  other = await secondTenant(app);
  root = await app.signIn('role-super-admin');
  // With a pair among the staff it takes two of them (four-eyes.test.ts).
  await asSuperuser(app, "update users set status = 'inactive' where tenant_id = $1 and id <> $2", [defaultTenantId, root.user_id]);
  const issued = await callProven(app, other.admin, 'POST', '/admin/service-tokens', {
    body: { name: 'shop', environment: 'production', permissions: ['flag:evaluate'] },
  });
  expect(issued.status).toBe(201);
  serviceToken = issued.body.token;
});

afterAll(async () => {
  await app.close();
});

const turn = (what: 'suspend' | 'resume', id: string, version: number): Promise<Answer> =>
  callProven(app, root, 'POST', `/tenants/${id}/${what}`, {
    headers: { 'if-match': `"${version}"` },
    body: { reason: 'unpaid' },
  });

const evaluate = (url: string): Promise<Answer> =>
  callApi(url, 'POST', '/ofrep/v1/evaluate/flags', { token: serviceToken, body: { context: {} } });

describe('S1-10, S1-63: suspending a tenant', () => {
  it('refuses its access tokens within a second on every process, its sign-ins and its refresh tokens, and those of no other', async () => {
    for (const url of [app.url, elsewhere.url]) {
      expect((await callApi(url, 'GET', '/users/me', { token: other.admin.token })).status).toBe(200);
      expect((await evaluate(url)).status).toBe(200);
    }
    const suspended = await turn('suspend', other.tenant_id, 1);
    expect(suspended).toMatchObject({ status: 200, body: { status: 'suspended', version: 2 } });
    for (const url of [app.url, elsewhere.url]) {
      const statuses = async () => [
        (await callApi(url, 'GET', '/users/me', { token: other.admin.token })).status,
        (await evaluate(url)).status,
      ];
      await eventually(statuses, ([person, service]) => person === 401 && service === 401, soonMs);
    }
    const { email, password, refresh_token } = other.admin;
    expect((await app.call('POST', '/auth/login', { body: { email, password } })).body.code).toBe('auth.invalid-credentials');
    expect((await app.call('POST', '/auth/refresh', { body: { refresh_token } })).status).toBe(401);
    expect((await app.call('GET', '/users/me', { token: root.token })).status).toBe(200);
    const audited = await asSuperuser(
      app,
      "select new_values ->> 'reason' as reason from audit_logs where resource_id = $1 and event = 'tenant.suspend'",
      [other.tenant_id],
    );
    expect(audited).toEqual([{ reason: 'unpaid' }]);
  });

  it('can be undone: service tokens work again, people sign in anew', async () => {
    expect((await turn('resume', other.tenant_id, 2)).body).toMatchObject({ status: 'active', version: 3 });
    await eventually(
      () => evaluate(elsewhere.url),
      ({ status }) => status === 200,
    );
    expect((await app.call('GET', '/users/me', { token: other.admin.token })).status).toBe(401);
    const again = await signInMember(app, other.admin);
    expect((await app.call('GET', '/users/me', { token: again.token })).status).toBe(200);
  });

  it('needs the version that was read, is for the platform’s staff, and never applies to the default tenant', async () => {
    expect((await turn('suspend', other.tenant_id, 1)).status).toBe(412);
    expect((await turn('resume', other.tenant_id, 3)).body.code).toBe('resource.conflict');
    expect((await turn('suspend', '11111111-1111-4111-8111-111111111111', 1)).status).toBe(404);
    expect((await turn('suspend', defaultTenantId, 1)).body.code).toBe('resource.conflict');
    const boss = await signInMember(app, other.admin);
    const own = await callProven(app, boss, 'POST', `/tenants/${other.tenant_id}/suspend`, {
      headers: { 'if-match': '"3"' },
      body: { reason: 'mine' },
    });
    expect(own).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
  });
});
