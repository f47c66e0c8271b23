import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemRoles } from '../../../src/domain/identity/system-roles.ts';
import { samplePassword, samplePeople } from '../../../src/dev/sample-data.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';

let app: TestApi;

beforeAll(async () => {
  app = await startTestApi();
});

afterAll(async () => {
  await app.close();
});

describe('sign-in', () => {
  it.each(systemRoles.map(({ code }) => code))('S1-23, S1-30: %s signs in and reads its profile', async (code) => {
    const person = await app.signIn(code);
    const profile = await app.call('GET', '/users/me', { token: person.token });
    expect(profile.status).toBe(200);
    expect(profile.body).toMatchObject({ id: person.user_id, email: person.email, roles: [code] });
  });

  it('S1-62: signs in by phone number too, also under /api/v1', async () => {
    const [person] = samplePeople;
    const body = { phone_number: person?.phone_number, password: samplePassword };
    const answer = await app.call('POST', '/api/v1/auth/login', { body });
    expect(answer.status).toBe(200);
    expect(answer.body.token_type).toBe('Bearer');
  });

  it('S1-62: a wrong password and an unknown account get the same answer', async () => {
    const wrong = await app.call('POST', '/auth/login', { body: { email: 'superadmin@agentmitra.com', password: 'nope' } });
    const unknown = await app.call('POST', '/auth/login', { body: { email: 'nobody@agentmitra.com', password: 'nope' } });
    expect(wrong.status).toBe(401);
    expect(unknown.status).toBe(401);
    const { instance: first, ...rest } = wrong.body;
    const { instance: second, ...others } = unknown.body;
    expect(rest).toEqual(others);
    expect(first).not.toBe(second);
  });

  it('refuses unknown fields, role and tenant_id with a pointer for each, and __proto__ outright', async () => {
    const polluted = '{"email":"a@b.co","password":"x","__proto__":{"admin":true}}';
    expect((await app.call('POST', '/auth/login', { body: polluted })).status).toBe(400);
    const text = '{"email":"a@b.co","password":"x","role":"sysadmin","tenant_id":"1","constructor":1}';
    const answer = await app.call('POST', '/auth/login', { body: text });
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer).sort()).toEqual([
      '/constructor',
      '/role',
      '/tenant_id',
    ]);
  });

  it('answers 400 to malformed JSON, 415 to another media type, 413 to a body that is too large, 404 and 405 to unknown paths and methods', async () => {
    expect((await app.call('POST', '/auth/login', { body: '{' })).status).toBe(400);
    const form = await app.call('POST', '/auth/login', { body: 'a=b', headers: { 'content-type': 'text/plain' } });
    expect(form.status).toBe(415);
    const huge = await app.call('POST', '/auth/login', { body: { email: 'x'.repeat(300_000), password: 'x' } });
    expect(huge.status).toBe(413);
    expect((await app.call('GET', '/nowhere')).status).toBe(404);
    expect((await app.call('DELETE', '/auth/login')).status).toBe(405);
  });

  it.each([
    'Application/JSON',
    'APPLICATION/JSON',
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'application/json ; Charset="UTF-8"',
    'Application/Json; CHARSET=Utf-8',
  ])('reads JSON of the type %s: capitals and parameters do not matter (RFC 9110 8.3.1)', async (type) => {
    const headers = { 'content-type': type };
    expect((await app.call('POST', '/auth/login', { body: '{', headers })).body.code).toBe('request.malformed');
    expect((await app.call('POST', '/auth/refresh', { body: { refresh_token: 'unknown' }, headers })).status).toBe(401);
  });
});

describe('sessions', () => {
  it('S1-62: a refresh token works once; using it again revokes the whole family', async () => {
    const person = await app.signIn('role-senior-agent');
    const first = await app.call('POST', '/auth/refresh', { body: { refresh_token: person.refresh_token } });
    expect(first.status).toBe(200);
    const again = await app.call('POST', '/auth/refresh', { body: { refresh_token: person.refresh_token } });
    expect(again.status).toBe(401);
    const next = await app.call('POST', '/auth/refresh', { body: { refresh_token: first.body.refresh_token } });
    expect(next.status).toBe(401);
    const profile = await app.call('GET', '/users/me', { token: first.body.access_token });
    expect(profile.status).toBe(401);
  });

  it('of twenty parallel uses of one refresh token exactly one succeeds', async () => {
    const person = await app.signIn('role-junior-agent');
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        app.call('POST', '/auth/refresh', { body: { refresh_token: person.refresh_token } }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it('signing out invalidates the access token on another API process within a second', async () => {
    const other = await app.another();
    const person = await app.signIn('role-policyholder');
    expect((await callApi(other.url, 'GET', '/users/me', { token: person.token })).status).toBe(200);
    expect((await app.call('POST', '/auth/logout', { token: person.token })).status).toBe(204);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await callApi(other.url, 'GET', '/users/me', { token: person.token })).status).toBe(401);
    const refresh = await callApi(other.url, 'POST', '/auth/refresh', { body: { refresh_token: person.refresh_token } });
    expect(refresh.status).toBe(401);
  });
});
