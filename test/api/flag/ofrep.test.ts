import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import type { Client } from '@openfeature/server-sdk';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { eventually, soonMs } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { secondTenant } from '../../support/people.ts';
import { createFlag } from '../../support/factories/flag.ts';

const otherTenant = '22222222-2222-4222-8222-222222222222';

let app: TestApi;
let admin: SignedIn;
let token: string;
let tokenId: string;
let client: Client;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  await create('plain', { enabled: true, rollout_percentage: 100 });
  await create('switched-off', {});
  await create('half', { enabled: true, rollout_percentage: 50 });
  await create('banner', {
    value_type: 'string',
    variants: { blue: 'blue', red: 'red' },
    on_variant: 'blue',
    off_variant: 'red',
    enabled: true,
    rollout_percentage: 0,
    rules: [
      { name: 'partners', tenants: [otherTenant], serve: [{ variant: 'blue', percentage: 100 }] },
      {
        name: 'new apps',
        conditions: [{ attribute: 'app_version', operator: 'semver_greater_or_equal', values: ['2.0.0'] }],
        serve: [{ variant: 'blue', percentage: 100 }],
      },
    ],
  });
  await create('limits', {
    value_type: 'object',
    variants: { high: { max: 10, names: ['a'] }, low: { max: 1, names: [] } },
    on_variant: 'high',
    off_variant: 'low',
    enabled: true,
    rollout_percentage: 100,
  });
  await create('price', {
    value_type: 'number',
    variants: { new: 9.5, old: 10 },
    on_variant: 'new',
    off_variant: 'old',
    enabled: true,
    rollout_percentage: 100,
  });
  const issued = await callProven(app, admin, 'POST', '/admin/service-tokens', {
    body: { name: 'shop', environment: 'staging', permissions: ['flag:evaluate'] },
  });
  token = issued.body.token;
  tokenId = issued.body.id;
  await OpenFeature.setProviderAndWait(
    new OFREPProvider({ baseUrl: app.url, headers: [['Authorization', `Bearer ${token}`]] }),
  );
  client = OpenFeature.getClient();
});

afterAll(async () => {
  await OpenFeature.close();
  await app.close();
});

const create = async (key: string, changes: object): Promise<void> => {
  const answer = await callProven(app, admin, 'POST', '/admin/feature-flags', {
    body: {
      key,
      environment: 'staging',
      value_type: 'boolean',
      variants: { on: true, off: false },
      enabled: false,
      on_variant: 'on',
      off_variant: 'off',
      rollout_percentage: 0,
      ...changes,
    },
  });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
};

const evaluate = (key: string, context: unknown, options: { token?: string } = {}): Promise<Answer> =>
  app.call('POST', `/ofrep/v1/evaluate/flags/${key}`, { token: options.token ?? token, body: { context } });

const evaluateAll = (context: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  app.call('POST', '/ofrep/v1/evaluate/flags', { token, body: { context }, headers });

describe('flags through the OpenFeature SDK and its OFREP provider', () => {
  it('reads every type of value with its reason and variant', async () => {
    expect(await client.getBooleanDetails('plain', false)).toMatchObject({
      value: true,
      reason: 'STATIC',
      variant: 'on',
    });
    expect(await client.getBooleanDetails('switched-off', true)).toMatchObject({ value: false, reason: 'DISABLED' });
    expect(await client.getNumberDetails('price', 0)).toMatchObject({ value: 9.5, variant: 'new' });
    expect(await client.getObjectDetails('limits', {})).toMatchObject({ value: { max: 10, names: ['a'] } });
  });

  it('X-21: targets by attribute and by tenant, and names the rule that decided', async () => {
    expect(await client.getStringDetails('banner', '')).toMatchObject({ value: 'red', reason: 'DEFAULT' });
    expect(await client.getStringDetails('banner', '', { app_version: '2.1.0' })).toMatchObject({
      value: 'blue',
      reason: 'TARGETING_MATCH',
      flagMetadata: { rule: 'new apps' },
    });
    expect(await client.getStringDetails('banner', '', { tenant_id: otherTenant })).toMatchObject({ value: 'blue' });
  });

  it('splits by targeting key, with the same result every time', async () => {
    const seen = new Set<boolean>();
    for (let index = 0; index < 20; index += 1) {
      const context = { targetingKey: `user-${index}` };
      const details = await client.getBooleanDetails('half', false, context);
      expect(details.reason).toBe('SPLIT');
      expect((await client.getBooleanDetails('half', false, context)).value).toBe(details.value);
      seen.add(details.value);
    }
    expect(seen.size).toBe(2);
  });

  it('gives the default with the matching error for a missing flag, a missing targeting key, and another type', async () => {
    expect(await client.getBooleanDetails('missing', true)).toMatchObject({ value: true, errorCode: 'FLAG_NOT_FOUND' });
    expect(await client.getBooleanDetails('half', true)).toMatchObject({
      value: true,
      errorCode: 'TARGETING_KEY_MISSING',
    });
    expect(await client.getStringDetails('plain', 'x')).toMatchObject({ value: 'x', errorCode: 'TYPE_MISMATCH' });
  });

  it('sees a change made by another process within a second', async () => {
    await create('moving', {});
    await eventually(
      () => client.getBooleanValue('moving', true),
      (value) => !value,
      soonMs,
    );
    const other = await app.another();
    const changed = await callProven(
      { ...app, call: (method, path, options) => callApi(other.url, method, path, options) },
      admin,
      'POST',
      '/admin/feature-flags/moving/toggle',
      {
        body: { environment: 'staging', enabled: true, version: 1 },
      },
    );
    expect(changed.status).toBe(200);
    await eventually(
      () => client.getBooleanValue('moving', false),
      (value) => value,
      soonMs,
    );
  });
});

describe('the protocol on the wire', () => {
  it('answers 304 to the ETag it gave, until a flag or the context changes', async () => {
    const first = await evaluateAll({ targetingKey: 'a' });
    expect(first.status).toBe(200);
    expect(first.body.flags).toContainEqual({
      key: 'plain',
      value: true,
      variant: 'on',
      reason: 'STATIC',
      metadata: {},
    });
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^".+"$/);
    const unchanged = await evaluateAll({ targetingKey: 'a' }, { 'if-none-match': etag });
    expect(unchanged).toMatchObject({ status: 304, body: null });
    expect((await evaluateAll({ targetingKey: 'b' }, { 'if-none-match': etag })).status).toBe(200);
    expect((await evaluateAll('text', { 'if-none-match': etag })).body.errorCode).toBe('INVALID_CONTEXT');
    expect(await evaluateAll({ targetingKey: 'a\ud800' }, { 'if-none-match': etag })).toMatchObject({ status: 422 });
    const broken = { token, body: '{"context":', headers: { 'if-none-match': etag, 'content-type': 'application/json' } };
    const refused = await app.call('POST', '/ofrep/v1/evaluate/flags', broken);
    expect(refused).toMatchObject({ status: 400, body: { code: 'request.malformed' } });
    await create('fresh', {});
    await eventually(
      () => evaluateAll({ targetingKey: 'a' }, { 'if-none-match': etag }),
      ({ status }) => status === 200,
      soonMs,
    );
  });

  it('does not mix up environments whose flags have the same keys and versions', async () => {
    const other = await secondTenant(app);
    for (const environment of ['development', 'production'] as const) {
      const enabled = environment === 'development';
      await createFlag(app, { tenant_id: other.tenant_id, key: 'twin', environment, enabled, rollout_percentage: 100 });
    }
    const inEnvironment = async (environment: string) => {
      const path = `/ofrep/v1/evaluate/flags?environment=${environment}`;
      const { body, headers } = await app.call('POST', path, { token: other.admin.token, body: { context: {} } });
      return { values: body.flags.map(({ value }: { value: unknown }) => value), etag: headers.get('etag') };
    };
    const [development, production] = [await inEnvironment('development'), await inEnvironment('production')];
    expect(development.values).toEqual([true]);
    expect(production.values).toEqual([false]);
    expect(production.etag).not.toBe(development.etag);
  });

  it('names the flags that need a targeting key in a bulk evaluation', async () => {
    const { body } = await evaluateAll({});
    expect(body.flags).toContainEqual(expect.objectContaining({ key: 'half', errorCode: 'TARGETING_KEY_MISSING' }));
  });

  it('refuses an invalid context as the protocol says: 400 INVALID_CONTEXT', async () => {
    for (const context of ['text', [1], { targetingKey: 5 }]) {
      expect(await evaluate('plain', context)).toMatchObject({
        status: 400,
        body: { key: 'plain', errorCode: 'INVALID_CONTEXT' },
      });
      expect(await evaluateAll(context)).toMatchObject({ status: 400, body: { errorCode: 'INVALID_CONTEXT' } });
    }
    expect(await evaluate('missing', {})).toMatchObject({
      status: 404,
      body: { key: 'missing', errorCode: 'FLAG_NOT_FOUND' },
    });
  });

  it('reads the database once, not for each evaluation', async () => {
    const { db } = app.api.deps;
    await evaluate('plain', {});
    let connections = 0;
    const onAcquire = () => (connections += 1);
    db.readPool.on('acquire', onAcquire);
    for (let index = 0; index < 20; index += 1)
      expect((await evaluate('plain', { targetingKey: `${index}` })).status).toBe(200);
    db.readPool.off('acquire', onAcquire);
    expect(connections).toBe(0);
  });
});

describe('service tokens', () => {
  it('read the one environment they are bound to', async () => {
    const elsewhere = await app.call('POST', '/ofrep/v1/evaluate/flags/plain?environment=production', {
      token,
      body: {},
    });
    expect(elsewhere).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    const unbound = await callProven(app, admin, 'POST', '/admin/service-tokens', {
      body: { name: 'unbound', permissions: ['flag:evaluate'] },
    });
    expect((await evaluate('plain', {}, { token: unbound.body.token })).status).toBe(403);
    expect((await evaluate('plain', {}, { token: admin.token })).status).toBe(404);
    const mine = await app.call('POST', '/ofrep/v1/evaluate/flags/plain?environment=staging', {
      token: admin.token,
      body: {},
    });
    expect(mine.status).toBe(200);
  });

  it('are kept as a hash and shown once', async () => {
    const listed = await app.call('GET', '/admin/service-tokens', { token: admin.token });
    expect(JSON.stringify(listed.body)).not.toContain(token);
    expect(listed.body.items.find((item: { id: string }) => item.id === tokenId)).toMatchObject({
      last4: token.slice(-4),
      environment: 'staging',
    });
    const rows = await asSuperuser(app, 'select * from service_tokens where tenant_id = $1', [defaultTenantId]);
    expect(JSON.stringify(rows)).not.toContain(token);
  });

  it('have no permission that their issuer lacks, and give access to nothing else', async () => {
    const provider = await app.signIn('role-provider-admin');
    const greedy = await callProven(app, provider, 'POST', '/admin/service-tokens', {
      body: { name: 'greedy', permissions: ['approval-policy:manage'] },
    });
    expect(greedy.body.code).toBe('role.grant-exceeds-own');
    expect((await app.call('GET', '/admin/feature-flags', { token })).status).toBe(403);
    const wide = await callProven(app, admin, 'POST', '/admin/service-tokens', {
      body: { name: 'wide', permissions: ['flag:toggle', 'approval:decide'] },
    });
    const toggled = await app.call('POST', '/admin/feature-flags/plain/toggle', {
      token: wide.body.token,
      body: { environment: 'staging', enabled: false, version: 1 },
    });
    expect(toggled.body.code).toBe('mfa.required');
  });

  it('are refused by every process within a second of their revocation', async () => {
    const issued = await callProven(app, admin, 'POST', '/admin/service-tokens', {
      body: { name: 'short-lived', environment: 'staging', permissions: ['flag:evaluate'] },
    });
    const other = await app.another();
    const use = (url: string) =>
      callApi(url, 'POST', '/ofrep/v1/evaluate/flags/plain', { token: issued.body.token, body: {} });
    expect((await use(app.url)).status).toBe(200);
    expect((await use(other.url)).status).toBe(200);
    const path = `/admin/service-tokens/${issued.body.id}`;
    expect((await callProven(app, admin, 'DELETE', path)).status).toBe(204);
    expect((await callProven(app, admin, 'DELETE', path)).status).toBe(404);
    for (const url of [app.url, other.url])
      await eventually(
        () => use(url),
        ({ status }) => status === 401,
        soonMs,
      );
  });
});
