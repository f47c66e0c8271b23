import Router from '@koa/router';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RequestState } from '../../src/api/http/request-context.ts';
import { mountOperations } from '../../src/api/http/operational-endpoints.ts';
import type { Route } from '../../src/api/http/route.ts';
import { routes } from '../../src/api/routes.ts';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { isPermission } from '../../src/domain/identity/permissions.ts';
import { systemRoles } from '../../src/domain/identity/system-roles.ts';
import { startTestApi } from '../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../support/api.ts';
import { expiredToken, makePerson, otherTenantId } from '../support/people.ts';
import { existing, fill, missing, paramsOf, sampleQuery, tableOf, validBody } from '../support/inputs/route-samples.ts';
import { createOneOfEach } from '../support/factories/one-of-each.ts';
import { callProven } from '../support/second-factor.ts';

/** Everything that anybody may call. A new public route is a decision, so it is written down here too. */
const publicOperations = [
  'login',
  'requestFactorRecovery',
  'refresh',
  'openAccountLink',
  'completeAccountLink',
  'readDevelopmentOutbox',
  'startOidcSignIn',
  'completeOidcSignIn',
  'openOnboarding',
  'saveOnboardingProgress',
  'completeOnboarding',
  'receiveIntegrationMessage',
];

/** Endpoints for machines that run us, outside of the route list; they show no business data. */
const operationalPaths = [
  '/.well-known/jwks.json',
  '/account-link',
  '/account-link/page.css',
  '/account-link/page.js',
  '/docs',
  '/docs/start.js',
  '/docs/swagger-ui-bundle.js',
  '/docs/swagger-ui.css',
  '/health',
  '/health/ready',
  '/metrics',
  '/openapi.json',
];

/** Changing routes that ask for no second factor, each with the reason (S2-68). */
const ungated: Readonly<Record<string, string>> = {
  login: 'it is how one gets in; the factor is part of it where the person asks for that',
  requestFactorRecovery: 'the factor is lost; it asks for the password, and changes nothing before somebody else has approved',
  refresh: 'the refresh token is the proof, used once',
  openAccountLink: 'the link is the proof; its holder cannot sign in yet, or not any more',
  completeAccountLink: 'the link is the proof; its holder cannot sign in yet, or not any more',
  logout: 'ending the own session must never be hard',
  requestMFACode: 'it is how the factor is asked for',
  verifyMFACode: 'it is how the factor is proven',
  verifyTotp: 'the code of the new factor is the proof',
  disableTotp: 'it asks for a code itself',
  renewRecoveryCodes: 'it asks for a code itself',
  updatePreferences: 'the own language and theme',
  changePassword: 'it asks for the current password',
  requestAddressCode: 'the code goes to the address that waits, and proves nothing yet',
  confirmAddress: 'the mailed code is the proof',
  updateSignInFactor: 'it asks for the password',
  checkPermission: 'it changes nothing; POST carries the question',
  decodeTemporalPayloads: 'it changes nothing; Temporal’s protocol asks by POST',
  encodeTemporalPayloads: 'it changes nothing; Temporal’s protocol asks by POST',
  testNotificationChannel: 'it sends a test notice to a channel that exists',
  redeliverNotification: 'it repeats a notice that was decided already',
  createCampaign: 'business of every day under /api/admin; X-25 asks for gates on what destroys',
  updateCampaign: 'business of every day under /api/admin; versions keep changes apart',
  createPipeline: 'business of every day; a pipeline that is in use is not deleted',
  updatePipeline: 'business of every day; its name and which one is the default',
  patchPipeline: 'business of every day; its name and which one is the default',
  deletePipeline: 'refused while prospects are in it',
  createPipelineStage: 'business of every day; it only adds',
  updatePipelineStage: 'business of every day; prospects keep their probability',
  patchPipelineStage: 'business of every day; prospects keep their probability',
  deletePipelineStage: 'refused while prospects are in it',
  createContact: 'business of every day under /api/admin',
  updateContact: 'business of every day under /api/admin; versions keep changes apart',
  searchClients: 'it changes nothing; POST keeps numbers out of addresses',
  createClient: 'business of every day; a number is taken once',
  updateClient: 'business of every day; versions keep changes apart',
  deleteClient: 'taken back by the restore; the row and its number stay',
  restoreClient: 'it takes a deletion back',
  revealClientCpf: 'it changes nothing; it has a right of its own, asks for a reason and is audited',
  importContacts: 'business of every day under /api/admin; it only adds',
  importClients: 'business of every day; it only adds, and one import is told apart by its id',
  assignCampaigns: 'business of every day under /api/admin; taken back by the removal, which has a gate',
  assignContacts: 'business of every day under /api/admin; every owner before stays in the history',
  updateCampaignMember: 'business of every day under /api/admin',
  autoAssignContacts: 'business of every day under /api/admin; every owner before stays in the history',
  handOverContacts: 'business of every day under /api/admin; every owner before stays in the history',
  cancelBulkRetry: 'it stops something; what was retried stays retried',
  cancelAssignmentBatch: 'it stops something; what was done stays',
  evaluateFlag: 'it changes nothing; OFREP asks by POST',
  evaluateFlags: 'it changes nothing; OFREP asks by POST',
  pauseRollout: 'it stops something; what is served stays',
  abortRollout: 'it stops something; what ran before runs everywhere, which was allowed then',
  reportConfigVersion: 'applications say what they run; it changes nothing that is served',
  saveOnboardingProgress: 'the link is the proof; its holder has no account yet',
  completeOnboarding: 'the link is the proof; its holder has no account yet',
  createOnboardingLink: 'X-25 asks for factors on destructive calls; what a link gives is bounded by its creator’s rights',
  triggerManualSync: 'it does what the schedule does, and joins a sync that runs',
  cancelSyncJob: 'it stops something; what was written stays',
  abortKeyRotation: 'it stops something before it has taken effect',
  retryKeyRotation: 'it tries at once what was decided already and would be tried anyway',
  receiveIntegrationMessage: 'the signature is the proof; its sender has no account',
  extendOnboardingLink: 'it gives time within ninety days and takes nothing away',
  createClientDataRequest: 'it writes down what a client asks; answering takes an approval',
  refuseClientDataRequest: 'it gives nothing out and erases nothing; the client can ask again',
  withdrawClientDataRequest: 'it gives nothing out and erases nothing; the client can ask again',
  updateClientSettings: 'it sets days for requests that are opened later',
  findClientDuplicates: 'it changes nothing; the body keeps numbers out of addresses',
  mergeClients: 'business of every day; it can be undone for thirty days',
  undoClientMerge: 'it brings back what a merge has deleted',
  convertToClient: 'business of every day; it only adds',
  updateOnboardingSettings: 'it bounds links that are made later and takes nothing from those that are there',
};

/** Routes whose parameter names a place that every tenant has: the name of an environment is nobody’s. */
const sharedPlaces = ['getConfig', 'reportConfigVersion'];

/** Permissions over nothing but one's own things: changing those asks for no second factor. */
const ownThings = ['tracker:use'];

const problemKeys = ['code', 'detail', 'instance', 'status', 'title', 'type'];
/** A person who is known is told which permission is missing and which rule said so. */
const forbiddenKeys = [...problemKeys, 'permission', 'rule'].sort();

const mutatingMethods = new Set(['post', 'put', 'patch', 'delete']);
const isPublic = (route: Route) => route.permission === 'public';
const pathsOf = (route: Route) => [route.path, ...(route.aliases ?? [])];
const named = (list: readonly Route[]) => list.map((route) => [route.operationId, route] as const);

let app: TestApi;
let admin: SignedIn;
let nobody: SignedIn;
let outsider: SignedIn;
let revoked: SignedIn;
let expired: string;
const people = new Map<string, SignedIn>();

beforeAll(async () => {
  app = await startTestApi();
  for (const { code } of systemRoles) people.set(code, await app.signIn(code));
  admin = people.get('role-super-admin')!;
  nobody = await makePerson(app, defaultTenantId, null);
  outsider = await makePerson(app, otherTenantId, 'role-super-admin');
  revoked = await makePerson(app, defaultTenantId, 'role-super-admin');
  expired = await expiredToken(app, admin);
  expect((await app.call('POST', '/auth/logout', { token: revoked.token })).status).toBe(204);
  await createOneOfEach(app, admin.user_id);
});

afterAll(async () => {
  await app.close();
});

/** A refusal has one shape, whatever refused. */
function expectProblem(answer: Answer, status: 401 | 403, code: string): void {
  expect({ status: answer.status, code: answer.body?.code }).toEqual({ status, code });
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(Object.keys(answer.body).sort()).toEqual(status === 401 ? problemKeys : forbiddenKeys);
}

/** Authorisation comes before validation, so that a refused caller learns nothing about inputs: no body needed. */
function bare(route: Route, path: string, token: string | undefined): Promise<Answer> {
  const filled = fill(path, () => '00000000-0000-4000-8000-000000000009');
  const hasBody = mutatingMethods.has(route.method) && route.body !== undefined;
  return app.call(route.method.toUpperCase(), filled, { token, ...(hasBody ? { body: {} } : {}) });
}

describe('the list of routes', () => {
  it('has a permission and a gate on every route; public ones are a list of decisions', () => {
    for (const { permission, gate, operationId } of routes) {
      const known = permission === 'public' || permission === 'authenticated' || isPermission(permission);
      expect({ operationId, known }).toEqual({ operationId, known: true });
      expect(typeof gate === 'string' ? ['none', 'mfa', 'own-factor'] : [gate]).toContain(gate);
    }
    const found = routes.filter(isPublic).map(({ operationId }) => operationId);
    expect(found.filter((id) => !publicOperations.includes(id))).toEqual([]);
  });

  it('S2-68: has a gate on every route that changes something, or a reason why not', () => {
    const open = routes.filter(({ method, gate }) => mutatingMethods.has(method) && gate === 'none').filter(({ permission }) => !ownThings.includes(permission));
    expect(open.map(({ operationId }) => operationId).filter((id) => ungated[id] === undefined)).toEqual([]);
  });

  it('is all there is besides the operational endpoints', () => {
    const router = new Router<RequestState>();
    mountOperations(router, app.api.deps);
    expect(router.stack.map(({ path }) => path).sort()).toEqual(operationalPaths);
    expect(new Set(routes.flatMap((route) => pathsOf(route).map((path) => `${route.method} ${path}`))).size).toBe(
      routes.flatMap(pathsOf).length,
    );
  });
});

describe('bad credentials are refused', () => {
  it.each(named(routes.filter((route) => !isPublic(route))))('%s', async (_, route) => {
    for (const path of pathsOf(route)) {
      const bad = { none: undefined, garbage: 'not.a.token', foreign: admin.refresh_token, expired, revoked: revoked.token };
      for (const token of Object.values(bad)) expectProblem(await bare(route, path, token), 401, 'auth.required');
    }
  });
});

describe('S1-66: a role without the permission is refused', () => {
  it.each(named(routes.filter(({ permission }) => isPermission(permission))))('%s', async (_, route) => {
    const allowing = [route.permission, ...(alsoAllowing[route.operationId] ?? [])];
    const lacking = systemRoles.filter(({ permissions }) => !permissions.some((one) => allowing.includes(one)));
    const refused = [nobody, ...lacking.map(({ code }) => people.get(code)!)];
    for (const person of refused) expectProblem(await bare(route, route.path, person.token), 403, 'auth.forbidden');
  });
});

/** Lists in which everybody with this permission finds what is theirs (U-9): test/api/assignment/access.test.ts. */
const alsoAllowing: Readonly<Record<string, readonly string[]>> = { getContacts: ['campaign:read'] };

/** Speaks of tenants themselves, to the staff of the default tenant only: test/api/identity/tenant-status.test.ts. */
const aboutTenants = ({ path }: Route) => path.startsWith('/tenants/');

describe('X-12: what belongs to another tenant is not there', () => {
  const scoped = routes.filter(
    (route) =>
      !isPublic(route) && !aboutTenants(route) && paramsOf(route.path).length > 0 && !sharedPlaces.includes(route.operationId),
  );

  it.each(named(scoped))('%s', async (_, route) => {
    const table = await withClient(app.database.adminUrl, (client) => tableOf(client, route.path));
    expect({ path: route.path, table }).not.toEqual({ path: route.path, table: null });
    const [param] = paramsOf(route.path);
    const value = await withClient(app.database.adminUrl, (client) => existing(client, table!, param!));
    // A new kind of resource needs a row in test/support/factories/one-of-each.ts.
    expect({ table, value }).not.toEqual({ table, value: null });
    const body = validBody(route);
    const ask = async (id: string) => {
      const answer = await callProven(app, outsider, route.method.toUpperCase(), fill(route.path, () => id) + sampleQuery(route), {
        ...(body === undefined ? {} : { body }),
        headers: route.requiresIfMatch === true ? { 'if-match': '"1"' } : {},
      });
      const { instance: _instance, ...rest } = answer.body ?? {};
      // OFREP has a body of its own, which names the key that was asked for.
      return { status: answer.status, body: JSON.parse(JSON.stringify(rest).replaceAll(id, '<id>')) };
    };
    const [theirs, nobodys] = [await ask(value!), await ask(missing(value!))];
    expect(theirs).toEqual(nobodys);
    // A list below a thing that is not there may also be empty.
    if (theirs.status !== 200) expect(theirs).toMatchObject({ status: 404 });
    else expect(theirs.body).toMatchObject({ items: [] });
  });
});
