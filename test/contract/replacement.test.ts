import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { shownResource } from '../../src/api/http/replacement.ts';
import type { Route } from '../../src/api/http/route.ts';
import { routes } from '../../src/api/routes.ts';
import { startTestApi } from '../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../support/api.ts';
import { createOneOfEach } from '../support/factories/one-of-each.ts';
import { pathOf, sampleQuery } from '../support/inputs/route-samples.ts';
import { callProven } from '../support/second-factor.ts';

let app: TestApi;
let admin: SignedIn;

const replacing = routes.flatMap((route) => {
  const resource = shownResource(route, routes);
  return resource === undefined ? [] : [[route.operationId, route, resource.route] as const];
});
/** What each shows, read before any of them is written. */
const shown = new Map<string, { path: string; answer: Answer }>();

/** Routes whose body has to say more than GET shows, each with the reason. */
const wantsMore: Readonly<Record<string, string>> = {
  putApprovalPolicy: 'GET is the list of all policies, and the body is one of them',
  updateSignInFactor: 'the password is asked for, and shown nowhere',
};

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  await createOneOfEach(app, admin.user_id);
  const grant = { agent_name: 'client_management', can_read: true };
  const grants = routes.find(({ operationId }) => operationId === 'getAgentPermissions')!;
  await callProven(app, admin, 'POST', await pathOf(app, grants), { body: grant });
  for (const [name, route, get] of replacing) {
    const path = await pathOf(app, route);
    shown.set(name, { path, answer: await app.call('GET', path + sampleQuery(get), { token: admin.token }) });
  }
  // What counts seconds is another one by now.
  await setTimeout(1_100);
});

afterAll(() => app.close());

/** Sends back what GET has shown, with its entity tag. */
function sendBack(route: Route, { path, answer }: { path: string; answer: Answer }, tag: string | null): Promise<Answer> {
  const headers = tag === null ? undefined : { 'if-match': tag };
  return callProven(app, admin, route.method.toUpperCase(), path, { body: answer.body, ...(headers === undefined ? {} : { headers }) });
}

describe('U-22: what GET gave can be sent back', () => {
  it.each(replacing.filter(([name]) => !(name in wantsMore)))('%s', async (name, route) => {
    const seen = shown.get(name)!;
    expect({ path: seen.path, status: seen.answer.status }).toEqual({ path: seen.path, status: 200 });
    const answer = await sendBack(route, seen, seen.answer.headers.get('etag'));
    expect({ status: answer.status, errors: answer.body?.errors, detail: answer.body?.detail }).toEqual({ status: 200 });
    expect(answer.body.version).toBe(seen.answer.body.version);
  });
});
