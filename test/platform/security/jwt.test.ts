import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { type AccessTokens, createAccessTokens, createSigningKeyring } from '../../../src/platform/security/access-token.ts';
import { parseKeyList } from '../../../src/platform/security/keyring.ts';
import { createMfaTokens } from '../../../src/platform/security/mfa-token.ts';

const issuer = 'https://castellan.example';
const seed = randomBytes(32);
const setting = (kid: string, bytes = randomBytes(32)): string => `${kid}:${bytes.toString('base64')}`;
const ringOf = (...keys: string[]) => createSigningKeyring(parseKeyList(keys.join(','), 'AUTH_SIGNING_KEYS'));
const keyring = ringOf(setting('2026', seed));

let nowMs = Date.parse('2026-11-21T12:00:00Z');
const now = () => nowMs;
const open = (ring = keyring): AccessTokens => createAccessTokens({ keyring: ring, issuer, ttlSeconds: 300, now });
const tokens = open();
const subject = { user_id: randomUUID(), tenant_id: randomUUID(), session_id: randomUUID() };

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const goodHeader = { alg: 'EdDSA', typ: 'at+jwt', kid: '2026' };
const goodClaims = () => ({
  sub: subject.user_id,
  tid: subject.tenant_id,
  sid: subject.session_id,
  iss: issuer,
  aud: `${issuer}/api`,
  iat: Math.floor(nowMs / 1000),
  exp: Math.floor(nowMs / 1000) + 300,
});

type Header = Record<string, unknown>;
type Claims = Record<string, unknown>;

/** A token signed with our own key, whatever header and claims say. */
function forge(header: Header, claims: Claims, key = keyring.active.privateKey): string {
  const signed = `${base64url(header)}.${base64url(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}

function forgeHmac(header: Header, secret: string | Buffer): string {
  const signed = `${base64url(header)}.${base64url(goodClaims())}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const attacker = generateKeyPairSync('ed25519');
const attackerJwk = attacker.publicKey.export({ format: 'jwk' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicPem = keyring.active.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const publicRaw = Buffer.from(keyring.active.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
const withHeader = (extra: Header) => forge({ ...goodHeader, ...extra }, goodClaims(), attacker.privateKey);
const withClaims = (extra: Claims) => forge(goodHeader, { ...goodClaims(), ...extra });
const seconds = (offset: number) => Math.floor(nowMs / 1000) + offset;

const forgeries: [string, () => string][] = [
  ['alg none without signature', () => `${base64url({ ...goodHeader, alg: 'none' })}.${base64url(goodClaims())}.`],
  ['alg None in other letters', () => `${base64url({ ...goodHeader, alg: 'NoNe' })}.${base64url(goodClaims())}.`],
  ['alg none with our signature', () => forge({ ...goodHeader, alg: 'none' }, goodClaims())],
  ['no alg', () => forge({ typ: 'at+jwt', kid: '2026' }, goodClaims())],
  ['HS256 keyed with our public key as PEM', () => forgeHmac({ ...goodHeader, alg: 'HS256' }, publicPem)],
  ['HS256 keyed with the bytes of our public key', () => forgeHmac({ ...goodHeader, alg: 'HS256' }, publicRaw)],
  ['HS256 with an empty key', () => forgeHmac({ ...goodHeader, alg: 'HS256' }, '')],
  [
    'RS256 by a stranger',
    () => {
      const signed = `${base64url({ ...goodHeader, alg: 'RS256' })}.${base64url(goodClaims())}`;
      return `${signed}.${sign('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url')}`;
    },
  ],
  ['another Ed25519 key under our key id', () => withHeader({})],
  ['its own key in the jwk header', () => withHeader({ jwk: attackerJwk })],
  [
    'its own key without alg in the jwk header and no kid',
    () => withHeader({ jwk: { ...attackerJwk, kid: '2026' }, kid: undefined }),
  ],
  ['a key set at its own address (jku)', () => withHeader({ jku: 'https://evil.example/jwks.json' })],
  ['certificates at its own address (x5u)', () => withHeader({ x5u: 'https://evil.example/cert.pem' })],
  [
    'its own certificate (x5c)',
    () => withHeader({ x5c: [attacker.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] }),
  ],
  ['a path as kid', () => forge({ ...goodHeader, kid: '../../../../dev/null' }, goodClaims())],
  ['SQL as kid', () => forge({ ...goodHeader, kid: "x' union select 'k" }, goodClaims())],
  ['a property of every object as kid', () => forge({ ...goodHeader, kid: '__proto__' }, goodClaims())],
  ['no kid', () => forge({ alg: 'EdDSA', typ: 'at+jwt' }, goodClaims())],
  ['an unknown critical header', () => forge({ ...goodHeader, crit: ['b64'], b64: false }, goodClaims())],
  ['the type of an MFA token', () => forge({ ...goodHeader, typ: 'mfa+jwt' }, goodClaims())],
  ['the type JWT', () => forge({ ...goodHeader, typ: 'JWT' }, goodClaims())],
  ['no type', () => forge({ alg: 'EdDSA', kid: '2026' }, goodClaims())],
  ['another audience', () => withClaims({ aud: 'https://elsewhere.example' })],
  ['the audience of MFA tokens', () => withClaims({ aud: `${issuer}/mfa` })],
  ['no audience', () => withClaims({ aud: undefined })],
  ['another issuer', () => withClaims({ iss: 'https://castellan.example.evil' })],
  ['an issuer with a slash more', () => withClaims({ iss: `${issuer}/` })],
  ['no issuer', () => withClaims({ iss: undefined })],
  ['a life that is over', () => withClaims({ exp: seconds(-6) })],
  ['no end of life', () => withClaims({ exp: undefined })],
  ['an end of life that is a text', () => withClaims({ exp: '9999999999' })],
  ['a start in the future', () => withClaims({ nbf: seconds(60) })],
  ['no person', () => withClaims({ sub: undefined })],
  ['a person who is no UUID', () => withClaims({ sub: 'admin' })],
  ['no session', () => withClaims({ sid: undefined })],
  ['no tenant', () => withClaims({ tid: undefined })],
  [
    'claims exchanged after signing',
    () => {
      const [header, , signature] = withClaims({}).split('.');
      return `${header}.${base64url({ ...goodClaims(), sub: randomUUID() })}.${signature}`;
    },
  ],
  ['a signature of one byte less', () => withClaims({}).slice(0, -2)],
  ['no signature', () => withClaims({}).replace(/[^.]*$/, '')],
  ['five parts', () => `${withClaims({})}.a.b`],
  ['nothing', () => ''],
  ['no token at all', () => 'null'],
  ['ten thousand letters', () => 'a'.repeat(10_000)],
];

describe('access tokens (X-5)', () => {
  it('carry person, tenant, session and times', async () => {
    const { token, expires_in_seconds } = await tokens.issue(subject);
    await expect(tokens.verify(token)).resolves.toEqual({
      ...subject,
      issued_at: seconds(0),
      expires_at: seconds(300),
    });
    expect(expires_in_seconds).toBe(300);
    const [header = ''] = token.split('.');
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual(goodHeader);
  });

  it('are accepted in the form that the forgeries below start from', async () => {
    await expect(tokens.verify(forge(goodHeader, goodClaims()))).resolves.toMatchObject(subject);
  });

  it.each(forgeries)('are refused with %s', async (_what, make) => {
    const refusal = { code: 'auth.required', status: 401, message: 'The access token is not valid.' };
    const token = make();
    await expect(tokens.verify(token)).rejects.toMatchObject(refusal);
    // The refusal is not cached as a success.
    await expect(tokens.verify(token)).rejects.toMatchObject(refusal);
  });

  it('are refused when they have expired, also if they were verified before', async () => {
    const { token } = await tokens.issue(subject);
    await tokens.verify(token);
    nowMs += 306_000;
    await expect(tokens.verify(token)).rejects.toMatchObject({ status: 401 });
  });

  it('stay valid while the signing key is rotated, until the old key is removed', async () => {
    const oldKey = setting('2026', seed);
    const newKey = setting('2027');
    const { token } = await tokens.issue(subject);
    const both = ringOf(newKey, oldKey);
    await expect(open(both).verify(token)).resolves.toMatchObject(subject);
    const [header = ''] = (await open(both).issue(subject)).token.split('.');
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({ kid: '2027' });
    await expect(open(ringOf(newKey)).verify(token)).rejects.toMatchObject({ status: 401 });
  });

  it('are cached for a minute, so that a verified one costs a look-up', async () => {
    const fresh = open();
    const subjects = Array.from({ length: 300 }, () => ({ ...subject, session_id: randomUUID() }));
    const issued = await Promise.all(subjects.map(async (one) => (await tokens.issue(one)).token));
    const round = async () => {
      const started = performance.now();
      for (const token of issued) await fresh.verify(token);
      return performance.now() - started;
    };
    const first = await round();
    expect(await round()).toBeLessThan(first / 3);
  });

  it('can be verified with the published keys, which hold no private part', async () => {
    const { keys } = keyring.jwks();
    expect(keys).toEqual([
      { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid: '2026', x: publicRaw.toString('base64url') },
    ]);
    const published = createPublicKey({ key: { ...keys[0], kty: 'OKP' }, format: 'jwk' });
    expect(published.equals(keyring.active.publicKey)).toBe(true);
  });
});

describe('MFA tokens (S2-45, S2-69)', () => {
  const mfaTokens = createMfaTokens({ keyring, issuer, now });
  const binding = {
    user_id: subject.user_id,
    session_id: subject.session_id,
    action: 'flag.toggle',
    payload_digest: 'a'.repeat(64),
  };
  const challengeId = randomUUID();

  it('name the answered challenge, for exactly this binding, and expire after five minutes', async () => {
    const { token, expires_in_seconds } = await mfaTokens.issue(binding, challengeId);
    expect(expires_in_seconds).toBe(300);
    await expect(mfaTokens.verify(token, binding)).resolves.toBe(challengeId);
    for (const other of [
      { user_id: randomUUID() },
      { session_id: randomUUID() },
      { action: 'user.delete' },
      { payload_digest: 'b'.repeat(64) },
    ]) {
      await expect(mfaTokens.verify(token, { ...binding, ...other })).resolves.toBeNull();
    }
    nowMs += 306_000;
    await expect(mfaTokens.verify(token, binding)).resolves.toBeNull();
  });

  it('are not accepted as access tokens, nor access tokens as MFA tokens', async () => {
    const { token: mfaToken } = await mfaTokens.issue(binding, challengeId);
    const { token: accessToken } = await tokens.issue(subject);
    await expect(tokens.verify(mfaToken)).rejects.toMatchObject({ status: 401 });
    await expect(mfaTokens.verify(accessToken, binding)).resolves.toBeNull();
    const disguised = forge(
      { ...goodHeader, typ: 'mfa+jwt' },
      { ...goodClaims(), act: 'a', dig: 'b', jti: randomUUID() },
    );
    await expect(mfaTokens.verify(disguised, binding)).resolves.toBeNull();
  });

  it.each(['', 'garbage', 'a.b.c'])('refuse %j', async (token) => {
    await expect(mfaTokens.verify(token, binding)).resolves.toBeNull();
  });
});
