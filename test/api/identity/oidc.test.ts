import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JWTPayload } from 'jose';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { Answer, TestApi } from '../../support/api.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { startIdentityProvider } from '../../support/servers/identity-provider.ts';
import type { IdentityProvider } from '../../support/servers/identity-provider.ts';
import { callProven } from '../../support/second-factor.ts';

const publicUrl = 'http://127.0.0.1:3000';

let idp: IdentityProvider;
let app: TestApi;

beforeAll(async () => {
  idp = await startIdentityProvider(`${publicUrl}/auth/oidc/test/callback`);
  const { issuer, client_id, client_secret } = idp;
  const tenant_id = defaultTenantId;
  app = await startTestApi({
    PUBLIC_URL: publicUrl,
    OIDC_PROVIDERS: JSON.stringify([{ name: 'test', issuer, client_id, client_secret, tenant_id }]),
    TRUSTED_ISSUERS: JSON.stringify([{ issuer, audience: client_id, jwks_uri: `${issuer}/jwks`, tenant_id }]),
  });
});

beforeEach(() => {
  idp.account = { sub: 'ext-senior', email: 'Senior@agentmitra.com', email_verified: true };
});

afterEach(() => {
  idp.forge = null;
});

afterAll(async () => {
  await app.close();
  await idp.close();
});

async function begin() {
  const answer = await app.call('GET', '/auth/oidc/test/start');
  expect(answer.status).toBe(302);
  const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  return { location: answer.headers.get('location') ?? '', cookie };
}

const comeBack = (returned: URL, cookie: string): Promise<Answer> =>
  app.call('GET', `${returned.pathname}${returned.search}`, { headers: { cookie } });

async function signIn(): Promise<Answer> {
  const { location, cookie } = await begin();
  return comeBack(await idp.visit(location), cookie);
}

const me = (token: string, url = app.url) => callApi(url, 'GET', '/users/me', { token });
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const refused = { status: 401, body: { code: 'auth.oidc-refused', detail: 'Start the sign-in again.' } };

describe('sign-in with an identity provider', () => {
  it('X-5: sends PKCE S256, state and nonce, and stores its secrets sealed', async () => {
    const { location } = await begin();
    const asked = new URL(location).searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({ response_type: 'code', code_challenge_method: 'S256', client_id: 'castellan' });
    expect(asked.get('redirect_uri')).toBe(`${publicUrl}/auth/oidc/test/callback`);
    const rows = await asSuperuser(app, 'select state_hash::text || sealed as text from oidc_sign_ins');
    for (const secret of ['state', 'nonce']) expect(JSON.stringify(rows)).not.toContain(asked.get(secret));
    expect((await app.call('GET', '/auth/oidc/other/start')).status).toBe(404);
  });

  it('X-5: links by verified e-mail the first time, by subject from then on', async () => {
    const first = await signIn();
    expect(first.status).toBe(200);
    expect((await me(first.body.access_token)).body.email).toBe('senior@agentmitra.com');
    idp.account = { ...idp.account, email: 'moved@elsewhere.example' };
    const second = await signIn();
    expect((await me(second.body.access_token)).body.email).toBe('senior@agentmitra.com');
    const refreshed = await app.call('POST', '/auth/refresh', { body: { refresh_token: second.body.refresh_token } });
    expect(refreshed.status).toBe(200);
  });

  it('X-5: refuses an unverified address, an unknown one, and a second subject with a linked address', async () => {
    idp.account = { sub: 'ext-liar', email: 'superadmin@agentmitra.com', email_verified: false };
    expect(await signIn()).toMatchObject(refused);
    idp.account = { sub: 'ext-unknown', email: 'unknown@agentmitra.com', email_verified: true };
    expect(await signIn()).toMatchObject(refused);
    idp.account = { sub: 'ext-heir', email: 'senior@agentmitra.com', email_verified: true };
    expect(await signIn()).toMatchObject(refused);
  });

  it('X-5: a state works once, and only in the browser that began the sign-in; an invented one is refused', async () => {
    const { location, cookie } = await begin();
    const returned = await idp.visit(location);
    expect((await comeBack(returned, cookie)).status).toBe(200);
    expect(await comeBack(returned, cookie)).toMatchObject(refused);
    const other = await begin();
    expect(await comeBack(await idp.visit(other.location), cookie)).toMatchObject(refused);
    const made = new URL(returned);
    made.searchParams.set('state', randomUUID());
    expect(await comeBack(made, cookie)).toMatchObject(refused);
  });

  const forgeries: [string, (claims: JWTPayload) => Promise<string>][] = [
    ['another audience', (claims) => idp.sign({ ...claims, aud: 'elsewhere' })],
    ['another nonce', (claims) => idp.sign({ ...claims, nonce: 'mine' })],
    ['another issuer', (claims) => idp.sign({ ...claims, iss: 'https://evil.example' })],
    ['a life that is over', (claims) => idp.sign({ ...claims, exp: Math.floor(Date.now() / 1000) - 120 })],
    ['a subject that cannot be stored', (claims) => idp.sign({ ...claims, sub: `${claims.sub ?? ''}\u0000` })],
    ['an address that cannot be stored', (claims) => idp.sign({ ...claims, email: 'a\u0000@agentmitra.com', email_verified: true })],
    ['alg none', (claims) => Promise.resolve(`${encoded({ alg: 'none' })}.${encoded(claims)}.`)],
    [
      'another subject under a signature of this one',
      async (claims) => {
        const [head, , signature] = (await idp.sign(claims)).split('.');
        return `${head}.${encoded({ ...claims, sub: 'ext-root' })}.${signature}`;
      },
    ],
  ];

  it.each(forgeries)('X-5: refuses an ID token with %s', async (_what, forge) => {
    idp.forge = (claims) => idp.sign(claims);
    expect((await signIn()).status).toBe(200);
    idp.forge = forge;
    expect(await signIn()).toMatchObject(refused);
  });

  it('X-5: accepts a rotated key at once, and the old one no longer', async () => {
    expect((await signIn()).status).toBe(200);
    await idp.rotate();
    expect((await signIn()).status).toBe(200);
    idp.forge = (claims) => idp.signWithOldKey(claims);
    expect(await signIn()).toMatchObject(refused);
  });
});

describe('bearer tokens of a trusted issuer', () => {
  const claims = (more: JWTPayload = {}): JWTPayload => {
    const now = Math.floor(Date.now() / 1000);
    return { iss: idp.issuer, aud: idp.client_id, sub: 'ext-senior', sid: 'one', iat: now, exp: now + 300, ...more };
  };

  it('X-5: authenticate the person who is linked to their subject, and nobody by e-mail', async () => {
    const mine = await me(await idp.sign(claims()));
    expect(mine).toMatchObject({ status: 200, body: { email: 'senior@agentmitra.com' } });
    const stranger = claims({ sub: 'ext-new', email: 'superadmin@agentmitra.com', email_verified: true });
    expect((await me(await idp.sign(stranger))).status).toBe(401);
  });

  it('X-5: are refused for another audience, expired, unsigned, or under a removed key', async () => {
    expect((await me(await idp.sign(claims({ aud: 'elsewhere' })))).status).toBe(401);
    expect((await me(await idp.sign(claims({ exp: Math.floor(Date.now() / 1000) - 60 })))).status).toBe(401);
    expect((await me(await idp.signWithOldKey(claims()))).status).toBe(401);
    const [, payload] = (await idp.sign(claims())).split('.');
    expect((await me(`${encoded({ alg: 'none' })}.${payload}.`)).status).toBe(401);
  });

  it('S2-8: are refused everywhere after a force logout of their person, later tokens of the session too', async () => {
    const other = await app.another();
    const token = await idp.sign(claims({ sid: 'two' }));
    const mine = await me(token);
    expect((await me(token, other.url)).status).toBe(200);
    const admin = await app.signIn('role-super-admin');
    const ended = await callProven(app, admin, 'POST', `/admin/users/${mine.body.id}/force-logout`);
    expect(ended.status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await me(token)).status).toBe(401);
    expect((await me(token, other.url)).status).toBe(401);
    expect((await me(await idp.sign(claims({ sid: 'two', jti: 'later' })))).status).toBe(401);
    expect((await me(await idp.sign(claims({ sid: 'three' })))).status).toBe(200);
  });

  it('X-5: an administrator links and unlinks a subject', async () => {
    const admin = await app.signIn('role-super-admin', 1);
    const path = `/admin/users/550e8400-e29b-41d4-a716-446655440004/identities`;
    const token = await idp.sign(claims({ sub: 'ext-junior', sid: 'four' }));
    expect((await me(token)).status).toBe(401);
    const linked = await callProven(app, admin, 'POST', path, { body: { issuer: idp.issuer, subject: 'ext-junior' } });
    expect(linked.status).toBe(201);
    expect((await me(token)).body.email).toBe('junior@agentmitra.com');
    const list = await app.call('GET', path, { token: admin.token });
    expect(list.body.items).toEqual([expect.objectContaining({ subject: 'ext-junior' })]);
    expect((await app.call('DELETE', `${path}/${linked.body.id}`)).status).toBe(401);
  });
});
