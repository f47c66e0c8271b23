import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { routes } from '../../src/api/routes.ts';
import { startTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** The methods of every path as it is written in the routes, those outside the document too. */
const methodsByPath = new Map<string, Set<string>>(
  ['/health', '/health/ready', '/metrics', '/.well-known/jwks.json', '/openapi.json', '/docs'].map((path) => [path, new Set(['GET', 'HEAD'])]),
);
for (const { method, path, aliases = [] } of routes) {
  for (const one of [path, ...aliases]) {
    const known = methodsByPath.get(one) ?? new Set();
    methodsByPath.set(one, new Set([...known, ...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])]));
  }
}
const fixedPaths = [...methodsByPath].filter(([path]) => !path.includes(':'));

let app: TestApi;

beforeAll(async () => {
  app = await startTestApi();
});

afterAll(async () => {
  await app.close();
});

/** The methods that an answer lists, in order. */
async function call(method: string, path: string) {
  const answer = await fetch(`${app.url}${path}`, { method, redirect: 'manual' });
  await answer.arrayBuffer();
  const allow = answer.headers.get('allow');
  return { status: answer.status, allow: allow?.split(', ').sort() };
}

/** A path with something in place of its parameters that is no other route's fixed part. */
const filled = (path: string) => path.replaceAll(/:\w+/g, '00000000-0000-4000-8000-000000000009');

describe('T-5: a path has its own methods, and Allow lists exactly these', () => {
  it.each([...methodsByPath].map(([path, own]) => [path, own] as const))('%s', async (path, own) => {
    const allow = [...own].sort();
    for (const method of methods) {
      const answer = await call(method, filled(path));
      if (own.has(method)) expect({ method, status: answer.status }).not.toMatchObject({ status: 405 });
      else expect({ method, ...answer }).toEqual({ method, status: 405, allow });
    }
    expect(await call('OPTIONS', filled(path))).toEqual({ status: 200, allow });
  });

  it('with a slash at its end, in capitals and for an unknown method too', async () => {
    for (const [path, own] of fixedPaths) {
      const allow = [...own].sort();
      const other = methods.find((method) => !own.has(method)) ?? 'PATCH';
      for (const form of [`${path}/`, path.toUpperCase()]) expect(await call(other, form)).toEqual({ status: 405, allow });
      expect(await call('PROPFIND', path)).toEqual({ status: 405, allow });
    }
  });

  it('a fixed path that a path with a parameter fits is itself in capitals', async () => {
    const today = '/api/v1/master-admin/activities/today';
    const { token } = await app.signIn('role-super-admin');
    for (const path of [today, today.toUpperCase(), `${today}/`]) {
      expect(await app.call('GET', path, { token })).toMatchObject({ status: 200, body: [] });
    }
  });
});
