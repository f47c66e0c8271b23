import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { callProven } from '../../support/second-factor.ts';

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi({ SIGN_IN_LIMIT_PER_ACCOUNT: '5', CORS_ORIGINS: 'https://admin.castellan.test' });
  admin = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await app.close();
});

/** What a body never holds: SQL, stacks, paths of this machine, names of libraries. */
const inside = /select |insert |update "|violates|relation "|at .*\(|node_modules|\.ts:\d|kysely|MikroORM|castellan_app/i;

describe('RFC 9457 problems', () => {
  it('have one form, with the request id as instance', async () => {
    const id = '11111111-2222-4333-8444-555555555555';
    const answer = await app.call('GET', '/users/me', { headers: { 'x-request-id': id } });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('x-request-id')).toBe(id);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.body).toEqual({
      type: 'urn:castellan:problem:auth.required',
      title: expect.any(String),
      status: 401,
      detail: expect.any(String),
      instance: `urn:uuid:${id}`,
      code: 'auth.required',
    });
  });

  it('never hold SQL, stacks or paths, also where the database refuses', async () => {
    await asSuperuser(app, 'alter table user_preferences rename to user_preferences_away');
    try {
      const answer = await app.call('GET', '/users/me/preferences', { token: admin.token });
      expect(answer.body).toMatchObject({ status: 500, code: 'service.internal' });
      expect(JSON.stringify(answer.body)).not.toMatch(inside);
    } finally {
      await asSuperuser(app, 'alter table user_preferences_away rename to user_preferences');
    }
    expect((await app.call('GET', '/users/me/preferences', { token: admin.token })).status).toBe(200);
  });

  it('name unknown query parameters, with a pointer to each', async () => {
    const answer = await app.call('GET', '/rbac/roles?tenant_id=1', { token: admin.token });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toHaveLength(1);
    const listed = await app.call('GET', '/admin/notifications/channels?limit=5&admin=true&role=x', { token: admin.token });
    expect(listed.status).toBe(422);
    expect(listed.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual(['/query/admin', '/query/role']);
  });

  it('treat an id that is none like any unknown id', async () => {
    for (const id of ["1'%20or%20'1'='1", '..%2f..%2fetc', '00000000-0000-4000-8000-00000000abcd', '%00']) {
      const answer = await app.call('GET', `/admin/notifications/channels/${id}`, { token: admin.token });
      expect([400, 404]).toContain(answer.status);
      expect(JSON.stringify(answer.body)).not.toMatch(inside);
    }
  });
});

describe('conditional requests', () => {
  let path: string;

  beforeAll(async () => {
    const made = await callProven(app, admin, 'POST', '/admin/notifications/channels', {
      body: { name: 'versioned', kind: 'email', email: 'ops@castellan.test', events: ['approval.opened'] },
    });
    path = `/admin/notifications/channels/${made.body.id}`;
  });

  const rename = (tag: string | null) =>
    callProven(app, admin, 'PATCH', path, {
      body: { name: `renamed ${tag}`.slice(0, 40) },
      headers: tag === null ? {} : { 'if-match': tag },
    });

  it('answers 304 to the tag that still stands', async () => {
    const { headers } = await app.call('GET', path, { token: admin.token });
    expect(headers.get('etag')).toBe('"1"');
    const again = await app.call('GET', path, { token: admin.token, headers: { 'if-none-match': '"1"' } });
    expect(again).toMatchObject({ status: 304, body: null });
  });

  it('answers 428 without a tag, 412 to every tag but the one that was given out, and changes nothing', async () => {
    expect((await rename(null)).body).toMatchObject({ status: 428, code: 'resource.version-required' });
    const others = ['W/"1"', 'w/"1"', '"999999"', '*', '"abc"', '""', '1', '"1', '"1", "2"', '"1","1"', '"01"', '"001"', '"+1"', '" 1"', '"1.0"', '"1e0"'];
    for (const tag of others) {
      const { body } = await rename(tag);
      expect({ tag, status: body.status, code: body.code }).toEqual({ tag, status: 412, code: 'resource.version-mismatch' });
    }
    expect((await app.call('GET', path, { token: admin.token })).body).toMatchObject({ name: 'versioned', version: 1 });
  });

  it('lets one of two writers who read the same version through', async () => {
    const answers = await Promise.all([rename('"1"'), rename('"1"')]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
  });
});

describe('counters that survive', () => {
  it('counts wrong passwords although every attempt is refused, and says when to come back', async () => {
    const body = { email: 'support@agentmitra.com', password: 'wrong' };
    const attempts = [];
    for (let count = 0; count < 7; count += 1) attempts.push(await app.call('POST', '/auth/login', { body }));
    const last = attempts.at(-1)!;
    expect(last.status).toBe(429);
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
    const rows = await asSuperuser<{ points: number }>(app, 'select max(points) as points from rate_limit_counters');
    expect(rows[0]!.points).toBeGreaterThanOrEqual(5);
  });
});
