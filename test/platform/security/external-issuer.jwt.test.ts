import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type JWTPayload, SignJWT } from 'jose';
import {
  type ExternalIssuerConfig,
  type ExternalIssuers,
  createExternalIssuers,
} from '../../../src/platform/security/external-issuer.ts';

type IssuerKey = { kid: string; alg: string; privateKey: KeyObject; publicKey: KeyObject };

const rsaKey = (kid: string): IssuerKey => ({
  kid,
  alg: 'RS256',
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }),
});
const issuer = 'https://clerk.example';
const tenantId = randomUUID();
const firstKey = rsaKey('ins_1');
const secondKey = rsaKey('ins_2');
const ecKey: IssuerKey = { kid: 'ec', alg: 'ES256', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) };

let server: Server;
let published: IssuerKey[];
let isPublishedWithAlg: boolean;
let isUnavailable: boolean;
let fetches: number;
let nowMs: number;
let issuers: ExternalIssuers;
let config: ExternalIssuerConfig;

beforeAll(async () => {
  server = createServer((_incoming, response) => {
    fetches += 1;
    if (isUnavailable) {
      response.writeHead(503).end();
      return;
    }
    const keys = published.map(({ publicKey, kid, alg }) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
      ...(isPublishedWithAlg ? { alg, use: 'sig' } : {}),
    }));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ keys }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});

beforeEach(() => {
  published = [firstKey];
  isPublishedWithAlg = true;
  isUnavailable = false;
  fetches = 0;
  nowMs = Date.now();
  config = {
    issuer,
    audience: 'castellan',
    jwks_uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    algorithms: ['RS256'],
    authorized_parties: ['https://portal.example'],
    tenant_id: tenantId,
    roles: { 'org:admin': 'admin' },
  };
  issuers = createExternalIssuers([config], { now: () => nowMs });
});

afterEach(() => issuers.close());
afterAll(() => new Promise((done) => server.close(done)));

const goodClaims = (): JWTPayload => ({
  iss: issuer,
  sub: 'user_2abc',
  aud: 'castellan',
  azp: 'https://portal.example',
  sid: 'sess_1',
  email: 'ana@example.com',
  roles: ['org:admin', 'org:unknown'],
  iat: Math.floor(nowMs / 1000),
  exp: Math.floor(nowMs / 1000) + 600,
});

async function makeToken(claims: JWTPayload = {}, key: IssuerKey = firstKey, alg = key.alg): Promise<string> {
  return new SignJWT({ ...goodClaims(), ...claims }).setProtectedHeader({ alg, kid: key.kid }).sign(key.privateKey);
}

const refused = { code: 'auth.required', status: 401, message: 'The access token is not valid.' };

describe('bearer tokens of configured issuers (X-5)', () => {
  it('identify a person of the configured tenant, with the mapped roles', async () => {
    const token = await makeToken();
    expect(issuers.speaksFor(token)).toBe(true);
    await expect(issuers.verify(token)).resolves.toMatchObject({
      issuer,
      subject: 'user_2abc',
      tenant_id: tenantId,
      email: 'ana@example.com',
      session: 'sess_1',
      roles: ['admin'],
    });
  });

  it('are read by the claim names of the configuration', async () => {
    const mapped = createExternalIssuers([{ ...config, claims: { subject: 'external_id', roles: 'org_role' } }], {
      now: () => nowMs,
    });
    const token = await makeToken({ external_id: 'e-1', org_role: 'org:admin' });
    await expect(mapped.verify(token)).resolves.toMatchObject({ subject: 'e-1', roles: ['admin'] });
    await mapped.close();
  });

  describe('T-45, S0-60: a Clerk session token with its default claims', () => {
    let clerk: ExternalIssuers;
    /** The claims of version 2, as Clerk documents them: no `aud`, the origin as `azp`, the organization in `o`. */
    const session = (): JWTPayload => ({
      iss: issuer,
      sub: 'user_2abc',
      sid: 'sess_1',
      azp: 'https://portal.example',
      fva: [7, -1],
      sts: 'active',
      v: 2,
      pla: 'u:free',
      o: { id: 'org_1', slg: 'sales', rol: 'admin' },
      nbf: Math.floor(nowMs / 1000) - 10,
      iat: Math.floor(nowMs / 1000),
      exp: Math.floor(nowMs / 1000) + 60,
    });
    const signed = (claims: JWTPayload = {}) =>
      new SignJWT({ ...session(), ...claims }).setProtectedHeader({ alg: 'RS256', kid: firstKey.kid, typ: 'JWT' }).sign(firstKey.privateKey);

    beforeEach(() => {
      const { audience: _none, ...origins } = config;
      clerk = createExternalIssuers([origins], { now: () => nowMs });
    });
    afterEach(() => clerk.close());

    it('identifies its person by the authorized party alone', async () => {
      await expect(clerk.verify(await signed())).resolves.toMatchObject({ subject: 'user_2abc', session: 'sess_1', email: null });
    });

    it.each<[string, JWTPayload]>([
      ['another origin', { azp: 'https://evil.example' }],
      ['no origin', { azp: undefined }],
      ['an audience, which is somebody else', { aud: 'elsewhere' }],
      ['a session that is pending', { sts: 'pending' }],
      ['a state of the session that is not known', { sts: 'Active' }],
      ['an empty state of the session', { sts: '' }],
      ['null for the state of the session', { sts: null }],
      ['a time that has not come', { nbf: Math.floor(Date.now() / 1000) + 600 }],
    ])('is refused with %s', async (_what, claims) => {
      await expect(clerk.verify(await signed(claims))).rejects.toMatchObject(refused);
    });
  });

  it.each<[string, () => Promise<string>]>([
    ['another audience', () => makeToken({ aud: 'elsewhere' })],
    ['no audience', () => makeToken({ aud: undefined })],
    ['an unknown issuer', () => makeToken({ iss: 'https://evil.example' })],
    ['another authorized party', () => makeToken({ azp: 'https://evil.example' })],
    ['no authorized party', () => makeToken({ azp: undefined })],
    ['a life that is over', () => makeToken({ exp: Math.floor(nowMs / 1000) - 31 })],
    ['no end of life', () => makeToken({ exp: undefined })],
    ['a start in the future', () => makeToken({ nbf: Math.floor(nowMs / 1000) + 60 })],
    ['a time of issue in the future', () => makeToken({ iat: Math.floor(nowMs / 1000) + 32 })],
    ['a time of issue beyond all times', () => makeToken({ iat: Number.MAX_VALUE, exp: Number.MAX_VALUE })],
    ['no time of issue', () => makeToken({ iat: undefined })],
    ['no person', () => makeToken({ sub: undefined })],
    ['a person who is no text', () => makeToken({ sub: { id: 'user_2abc' } as never })],
    ['a subject longer than any that is linked', () => makeToken({ sub: 'u'.repeat(256) })],
    ['an address longer than any that is stored', () => makeToken({ email: `${'a'.repeat(320)}@example.com` })],
    ['an algorithm that is not on the list', () => makeToken({}, firstKey, 'PS256')],
    ['a key that is not published', () => makeToken({}, secondKey)],
    ['a stranger’s key under a published id', () => makeToken({}, { ...secondKey, kid: firstKey.kid })],
    [
      'alg none',
      () =>
        Promise.resolve(
          `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(goodClaims())).toString('base64url')}.`,
        ),
    ],
    [
      'HS256 keyed with the public key',
      async () => {
        const pem = firstKey.publicKey.export({ type: 'spki', format: 'pem' });
        return new SignJWT(goodClaims()).setProtectedHeader({ alg: 'HS256', kid: firstKey.kid }).sign(Buffer.from(pem));
      },
    ],
    ['nothing in it', () => Promise.resolve('')],
  ])('are refused with %s', async (_what, make) => {
    await expect(issuers.verify(await make())).rejects.toMatchObject(refused);
  });

  it.each(['sub', 'email', 'sid', 'roles'])('are refused with a character in %s that cannot be stored', async (claim) => {
    for (const text of ['nul\u0000', 'half \ud800', '\udc00']) {
      await expect(issuers.verify(await makeToken({ [claim]: text }))).rejects.toMatchObject(refused);
    }
    await expect(issuers.verify(await makeToken({ roles: ['org:admin', 'org:\u0000'] }))).rejects.toMatchObject(refused);
  });

  it('are accepted from a clock that is a little ahead, with a subject as long as the longest and any letters', async () => {
    const sub = 'ü'.repeat(255);
    const token = await makeToken({ sub, email: 'ana+😀@example.com', iat: Math.floor(nowMs / 1000) + 30 });
    await expect(issuers.verify(token)).resolves.toMatchObject({ subject: sub, email: 'ana+😀@example.com' });
  });

  it('are limited to the allowed algorithms when the issuer’s keys name none', async () => {
    isPublishedWithAlg = false;
    published = [firstKey, ecKey];
    await expect(issuers.verify(await makeToken())).resolves.toMatchObject({ subject: 'user_2abc' });
    await expect(issuers.verify(await makeToken({}, ecKey))).rejects.toMatchObject(refused);
    await expect(issuers.verify(await makeToken({}, firstKey, 'RS512'))).rejects.toMatchObject(refused);
  });

  it('are accepted under a rotated key at once; the key set is fetched for unknown keys at most once in a while', async () => {
    await issuers.verify(await makeToken());
    published = [secondKey, firstKey];
    // The library looks again for an unknown key only after its cool-down, which runs on the system clock.
    const realNow = Date.now;
    try {
      Date.now = () => realNow() + 31_000;
      await expect(issuers.verify(await makeToken({}, secondKey))).resolves.toMatchObject({ subject: 'user_2abc' });
      await expect(issuers.verify(await makeToken({ jti: '2' }))).resolves.toMatchObject({ subject: 'user_2abc' });
      const before = fetches;
      for (let count = 0; count < 20; count += 1) {
        const stranger = { ...secondKey, kid: `strange-${count}` };
        await expect(issuers.verify(await makeToken({}, stranger))).rejects.toMatchObject(refused);
      }
      expect(fetches).toBe(before);
    } finally {
      Date.now = realNow;
    }
  });

  it('are verified with the last key set for a day while the issuer is unavailable, and not for longer', async () => {
    await issuers.verify(await makeToken());
    isUnavailable = true;
    const realNow = Date.now;
    try {
      Date.now = () => realNow() + 11 * 60_000;
      nowMs = Date.now();
      await expect(issuers.verify(await makeToken())).resolves.toMatchObject({ subject: 'user_2abc' });
      Date.now = () => realNow() + 25 * 3_600_000;
      nowMs = Date.now();
      await expect(issuers.verify(await makeToken())).rejects.toMatchObject({
        code: 'service.unavailable',
        status: 503,
      });
    } finally {
      Date.now = realNow;
    }
  });

  it('are answered with 503 when the keys were never fetched', async () => {
    isUnavailable = true;
    await expect(issuers.verify(await makeToken())).rejects.toMatchObject({ status: 503, retryAfterSeconds: 30 });
  });
});
