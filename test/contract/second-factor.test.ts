import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Route } from '../../src/api/http/route.ts';
import { routes } from '../../src/api/routes.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { createOneOfEach } from '../support/factories/one-of-each.ts';
import { missing, paramsOf, pathOf, sampleQuery, validBody } from '../support/route-samples.ts';

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  await createOneOfEach(app, admin.user_id);
});

afterAll(async () => {
  await app.close();
});

const gated = routes.filter(({ gate }) => gate !== 'none');
const named = (list: readonly Route[]) => list.map((route) => [route.operationId, route] as const);

/** One request without a factor proof. */
function ask(route: Route, path: string, headers: Record<string, string> = {}) {
  const body = validBody(route);
  const given = { ...(body === undefined ? {} : { body }), headers: { 'if-match': '"1"', ...headers } };
  return app.call(route.method.toUpperCase(), path + sampleQuery(route), { token: admin.token, ...given });
}

describe('T-14: what is not there is said before a second factor is asked for', () => {
  const naming = gated.filter(({ path }) => paramsOf(path).length > 0);

  it.each(named(naming))('%s', async (_, route) => {
    const segments = (await pathOf(app, route)).split('/');
    const places = route.path.split('/').flatMap((segment, place) => (segment.startsWith(':') ? [place] : []));
    for (const place of places) {
      const path = segments.map((segment, at) => (at === place ? missing(decodeURIComponent(segment)) : segment)).join('/');
      const { status, body } = await ask(route, path);
      expect({ path, status, code: body.code }).toEqual({ path, status: 404, code: 'resource.not-found' });
    }
  });
});
