import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Route } from '../../src/api/http/route.ts';
import { routes } from '../../src/api/routes.ts';
import { actions } from '../../src/services/actions/registry.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { createApprovalPolicy } from '../support/factories/approval.ts';
import { createOneOfEach } from '../support/factories/one-of-each.ts';
import { missing, paramsOf, pathOf, sampleQuery, validBody } from '../support/inputs/route-samples.ts';

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  await createOneOfEach(app, admin.user_id);
  const ungated = actions.filter(({ safeGate }) => safeGate(null) === 'none');
  for (const { name } of ungated) await createApprovalPolicy(app, { action: name, updated_by: admin.user_id });
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

describe('S2-69: a factor proof is made for the version that the change is built on', () => {
  const versioned = gated.filter(({ requiresIfMatch }) => requiresIfMatch === true);

  it.each(named(versioned))('%s', async (_, route) => {
    const path = await pathOf(app, route);
    // A token that proves nothing: the answer names what has to be proven, whichever version is current.
    const wantedFor = async (tag: string) => {
      const { status, body } = await ask(route, path, { 'if-match': tag, 'x-mfa-token': 'none' });
      expect({ path, status, code: body.code }).toEqual({ path, status: 403, code: 'mfa.required' });
      return body.payload_digest;
    };
    expect(await wantedFor('"1"')).toBe(await wantedFor('"1"'));
    expect(await wantedFor('"1"')).not.toBe(await wantedFor('"2"'));
  });
});
