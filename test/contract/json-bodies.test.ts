import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { routes } from '../../src/api/routes.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { pathOf } from '../support/inputs/route-samples.ts';

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await app.close();
});

/** JSON whose outermost value is no object, as it is sent. */
const texts = ['null', '5', '"x"', '""', 'true', '[]'];
const withBody = routes.filter(({ body, method }) => body !== undefined && method !== 'delete');

describe('U-29: JSON that is no object', () => {
  it.each(withBody.map((route) => [`${route.method} ${route.path}`, route] as const))('is said to be none by %s', async (_name, route) => {
    const path = await pathOf(app, route);
    for (const text of texts) {
      const answer = await app.call(route.method.toUpperCase(), path, { token: admin.token, body: text });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(answer.body).not.toMatchObject({ code: 'request.malformed' });
      if (answer.status !== 422) continue;
      expect(answer.body.errors).toEqual([{ pointer: '', detail: expect.stringMatching(/^(must be an object|has none of the accepted forms)$/) }]);
    }
  });

  it('is told apart from what is no JSON, and an empty body is an object without members', async () => {
    const login = (body: string) => app.call('POST', '/auth/login', { body });
    expect(await login('5')).toMatchObject({ status: 422, body: { detail: 'body must be an object.' } });
    for (const text of ['{', ' ', 'undefined', "'x'", '{"a":1}}']) {
      expect(await login(text)).toMatchObject({ status: 400, body: { code: 'request.malformed' } });
    }
    const empty = await fetch(`${app.url}/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    expect(empty.status).toBe(422);
    expect(await empty.json()).toMatchObject({ errors: expect.arrayContaining([{ pointer: '/password', detail: 'is missing' }]) });
  });
});
