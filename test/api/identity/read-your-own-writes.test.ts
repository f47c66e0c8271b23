import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { RunningApi } from '../../../src/api/server.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { plainFlag } from '../../support/drivers/approval.ts';
import { eventually, soonMs } from '../../support/eventually.ts';
import { newMember, secondTenant } from '../../support/people.ts';
import type { Member, OtherTenant } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import { startCuttableProxy } from '../../support/servers/cuttable-proxy.ts';
import type { CuttableProxy } from '../../support/servers/cuttable-proxy.ts';

let first: TestApi;
/** The same application in another process' worth of parts, whose notifications a test can hold back. */
let app: TestApi;
let other: RunningApi;
let postgres: CuttableProxy;
let tenant: OtherTenant;
let admin: Member;

beforeAll(async () => {
  first = await startTestApi();
  const url = new URL(first.database.appUrl);
  postgres = await startCuttableProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(postgres.port);
  other = await first.another({ DATABASE_URL: url.href });
  app = { ...first, url: other.url, api: other, call: (method, path, options) => callApi(other.url, method, path, options) };
  tenant = await secondTenant(app);
  ({ admin } = tenant);
});

afterEach(() => {
  postgres.mend();
});

afterAll(async () => {
  await first.close();
  await postgres.close();
});

const me = (person: Member, through = app) => through.call('GET', '/users/me', { token: person.token });

/** A flag that is off in staging, and whether the application that reads it sees it on. */
async function newFlag(): Promise<{ key: string; isOn: (through?: TestApi) => Promise<boolean> }> {
  const key = `flag-${randomUUID().slice(0, 8)}`;
  const made = await callProven(app, admin, 'POST', '/admin/feature-flags', { body: { key, environment: 'staging', ...plainFlag } });
  expect(made.status).toBe(201);
  const isOn = async (through = app) => {
    const path = `/ofrep/v1/evaluate/flags/${key}?environment=staging`;
    const answer = await through.call('POST', path, { token: admin.token, body: { context: { targetingKey: 'a' } } });
    expect(answer.status).toBe(200);
    return answer.body.value as boolean;
  };
  return { key, isOn };
}

const toggle = async (key: string) => {
  const body = { environment: 'staging', enabled: true, version: 1 };
  expect((await callProven(app, admin, 'POST', `/admin/feature-flags/${key}/toggle`, { body })).status).toBe(200);
};

async function remove(person: Member): Promise<void> {
  const path = `/admin/users/${person.user_id}`;
  const read = await app.call('GET', path, { token: admin.token });
  const headers = { 'if-match': read.headers.get('etag') ?? '' };
  expect((await callProven(app, admin, 'DELETE', path, { headers })).status).toBe(204);
}

describe('T-52: who has changed something reads it, though no notification has arrived', () => {
  it('a deleted person is refused by the next request', async () => {
    const person = await newMember(app, admin);
    expect((await me(person)).status).toBe(200);
    postgres.holdListeners();
    await remove(person);
    expect((await me(person)).status).toBe(401);
  });

  it('a person who is logged out by force is refused by the next request', async () => {
    const person = await newMember(app, admin);
    expect((await me(person)).status).toBe(200);
    postgres.holdListeners();
    expect((await callProven(app, admin, 'POST', `/admin/users/${person.user_id}/force-logout`, { body: {} })).status).toBeLessThan(300);
    expect((await me(person)).status).toBe(401);
  });

  it('the matrix of a role, its parent and its assignment', async () => {
    const person = await newMember(app, admin);
    const create = async (permissions: string[]) => {
      const code = `desk-${randomUUID().slice(0, 8)}`;
      const made = await callProven(app, admin, 'POST', '/admin/roles', { body: { code, name: code, permissions } });
      expect(made.status).toBe(201);
      return made.body.id as string;
    };
    const [parent, child] = [await create(['user:read']), await create(['lead:read'])];
    expect((await me(person)).body.permissions).toEqual([]);
    postgres.holdListeners();
    expect((await callProven(app, admin, 'POST', `/admin/users/${person.user_id}/roles`, { body: { role_id: child } })).status).toBe(201);
    expect((await me(person)).body.permissions).toEqual(['lead:read']);
    const matrix = `/admin/roles/${child}/permissions`;
    const headers = { 'if-match': (await app.call('GET', matrix, { token: admin.token })).headers.get('etag') ?? '' };
    const set = await callProven(app, admin, 'PUT', matrix, { headers, body: { permissions: ['role:read'] } });
    expect(set.status).toBe(200);
    expect((await me(person)).body.permissions).toEqual(['role:read']);
    const role = `/admin/roles/${child}`;
    const etag = set.headers.get('etag') ?? '';
    const moved = await callProven(app, admin, 'PUT', role, { headers: { 'if-match': etag }, body: { parent_role_id: parent } });
    expect(moved.status).toBe(200);
    expect((await me(person)).body.permissions).toEqual(['user:read', 'role:read']);
  });

  it('a flag that is switched, as evaluated by an application', async () => {
    const { key, isOn } = await newFlag();
    expect(await isOn()).toBe(false);
    postgres.holdListeners();
    await toggle(key);
    expect(await isOn()).toBe(true);
  });

  it('a service token that is revoked', async () => {
    const body = { name: 'reader', permissions: ['flag:evaluate'], environment: 'staging' };
    const made = await callProven(app, admin, 'POST', '/admin/service-tokens', { body });
    expect(made.status).toBe(201);
    const read = () => app.call('POST', '/ofrep/v1/evaluate/flags', { token: made.body.token, body: { context: {} } });
    expect((await read()).status).toBe(200);
    postgres.holdListeners();
    const revoked = await callProven(app, admin, 'DELETE', `/admin/service-tokens/${made.body.id}`);
    expect(revoked.status).toBeLessThan(300);
    expect((await read()).status).toBe(401);
  });
});

describe('T-52: other processes do not trust their caches while no notification can arrive', () => {
  it('a change elsewhere is seen within a second, though the listening connection is held', async () => {
    const person = await newMember(app, admin);
    const { key, isOn } = await newFlag();
    expect([(await me(person)).status, await isOn()]).toEqual([200, false]);
    postgres.holdListeners();
    const [outside, path] = [first, `/admin/users/${person.user_id}/force-logout`];
    expect((await callProven(outside, admin, 'POST', path, { body: {} })).status).toBeLessThan(300);
    const body = { environment: 'staging', enabled: true, version: 1 };
    expect((await callProven(outside, admin, 'POST', `/admin/feature-flags/${key}/toggle`, { body })).status).toBe(200);
    // Well before a half-open connection is given up, and before cached answers end by themselves.
    await eventually(() => me(person), ({ status }) => status === 401, soonMs);
    await eventually(isOn, (on) => on, soonMs);
  });

  it('and they are used again when it answers', async () => {
    const { key, isOn } = await newFlag();
    postgres.holdListeners();
    await toggle(key);
    postgres.mend();
    await eventually(async () => other.deps.db.invalidation.isCurrent(), (isCurrent) => isCurrent);
    expect(await isOn(first)).toBe(true);
    expect(await isOn()).toBe(true);
  });
});

describe('T-52: what another process did for a caller', () => {
  it('has reached the caches when the call returns, whatever is announced meanwhile', async () => {
    const seen = new Set<string>();
    const { invalidation } = other.deps.db;
    const unsubscribe = invalidation.subscribe(({ key }) => seen.add(key));
    const { readPool } = first.api.deps.db;
    const announce = (key: string) => readPool.query("select pg_notify('castellan_invalidate', $1)", [`test:${key}`]);
    await Promise.all(
      Array.from({ length: 20 }, async (_, lane) => {
        for (let round = 0; round < 20; round += 1) {
          await announce(`${lane}/${round}`);
          await invalidation.caughtUp();
          expect(seen.has(`${lane}/${round}`)).toBe(true);
        }
      }),
    );
    unsubscribe();
  });
});
