import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { type JSONWebKeySet, type JWTPayload, SignJWT, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { ed25519PrivateKey } from './ed25519.ts';
import type { NamedKey } from './keyring.ts';
import { Problem } from '../problem.ts';
import { uuid } from '../value-schemas.ts';

/** The one algorithm we sign and accept: Ed25519 (RFC 8037). */
const algorithm = 'EdDSA';
/** Tolerance for clocks that differ. */
const clockSkewSeconds = 5;
/** How long at most the result of a verification is used again. */
const cacheSeconds = 60;
const maxCachedTokens = 10_000;
/** Longer tokens were not issued here and are refused without hashing them. */
const maxTokenLength = 8_192;

/** One of our signing keys, ready for use. */
type SigningKey = { readonly kid: string; readonly privateKey: KeyObject; readonly publicKey: KeyObject };

/** The keys that sign our tokens: the first signs, all are accepted and published. */
export type SigningKeyring = {
  readonly active: SigningKey;
  readonly find: (kid: string | undefined) => SigningKey | undefined;
  /** The public half, as `/.well-known/jwks.json` shows it. */
  readonly jwks: () => JSONWebKeySet;
};

/** The claims of an access token. */
export type AccessTokenClaims = {
  readonly user_id: string;
  readonly tenant_id: string;
  readonly session_id: string;
  /** Seconds since 1970. */
  readonly issued_at: number;
  /** Seconds since 1970. */
  readonly expires_at: number;
};

/** Issues and verifies our own access tokens (RFC 9068 form, `typ: at+jwt`). */
export type AccessTokens = {
  readonly issue: (subject: { user_id: string; tenant_id: string; session_id: string }) => Promise<{
    token: string;
    expires_in_seconds: number;
  }>;
  /**
   * Checks signature, algorithm, type, issuer, audience and time. Whether the session is still active is checked by
   * the caller on every request.
   *
   * @throws Problem 401 that does not say what was wrong; its cause does.
   */
  readonly verify: (token: string) => Promise<AccessTokenClaims>;
};

/**
 * Makes signing keys of 32-byte Ed25519 seeds (`AUTH_SIGNING_KEYS`, `kid:base64` each). To rotate: put the new key
 * first, and remove the old one when its last token has expired.
 */
export function createSigningKeyring(keys: readonly [NamedKey, ...NamedKey[]]): SigningKeyring {
  const signingKeys = keys.map((key): SigningKey => {
    const privateKey = ed25519PrivateKey(key.bytes);
    return { kid: key.key_id, privateKey, publicKey: createPublicKey(privateKey) };
  });
  const byKid = new Map(signingKeys.map((key) => [key.kid, key]));
  const active = byKid.get(keys[0].key_id);
  if (active === undefined) {
    throw new Error('A signing keyring needs at least one key.');
  }
  return {
    active,
    find: (kid) => (kid === undefined ? undefined : byKid.get(kid)),
    jwks: () => ({
      keys: signingKeys.map(({ kid, publicKey }) => {
        const { kty, crv, x } = publicKey.export({ format: 'jwk' });
        return { kty: kty ?? 'OKP', crv, x, kid, alg: algorithm, use: 'sig' };
      }),
    }),
  };
}

/** What all tokens of one kind have in common besides their claims. */
export type TokenKind = { readonly typ: 'at+jwt' | 'mfa+jwt'; readonly issuer: string; readonly audience: string };

/** Signs claims as a token of one kind. Times come from `now`, in milliseconds since 1970. */
export function signToken(
  keyring: SigningKeyring,
  kind: TokenKind,
  claims: JWTPayload,
  options: { now: number; ttlSeconds: number },
): Promise<string> {
  const issuedAt = Math.floor(options.now / 1000);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: algorithm, typ: kind.typ, kid: keyring.active.kid })
    .setIssuer(kind.issuer)
    .setAudience(kind.audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + options.ttlSeconds)
    .sign(keyring.active.privateKey);
}

/**
 * Verifies a token of one kind. Nothing is taken from the token itself but the name of one of our keys: algorithm, type,
 * issuer and audience are fixed here, and key material in the header is ignored (ASVS 9.1.2).
 *
 * @throws Error that says what was wrong; callers answer with a refusal that does not.
 */
export async function verifyToken<T>(
  keyring: SigningKeyring,
  kind: TokenKind,
  claims: z.ZodType<T>,
  options: { token: string; now: number },
): Promise<T> {
  if (options.token.length > maxTokenLength) {
    throw new Error('The token is too long.');
  }
  const verified = await jwtVerify(
    options.token,
    ({ kid }) => {
      const key = keyring.find(kid);
      if (key === undefined) {
        throw new Error('The token names no key of ours.');
      }
      return key.publicKey;
    },
    {
      algorithms: [algorithm],
      typ: kind.typ,
      issuer: kind.issuer,
      audience: kind.audience,
      clockTolerance: clockSkewSeconds,
      currentDate: new Date(options.now),
      requiredClaims: ['exp', 'iat', 'sub'],
    },
  );
  return claims.parse(verified.payload);
}

const accessClaims = z
  .object({ sub: uuid, tid: uuid, sid: uuid, iat: z.number(), exp: z.number() })
  .transform((claims): AccessTokenClaims => ({
    user_id: claims.sub,
    tenant_id: claims.tid,
    session_id: claims.sid,
    issued_at: claims.iat,
    expires_at: claims.exp,
  }));

/**
 * Creates the issuer and verifier of the access tokens of one deployment.
 *
 * Verifying costs about 0.3 ms, more than the rest of a request that is answered from caches, so results are cached by the
 * token's SHA-256 until the token expires, and for a minute at most.
 *
 * @param options.issuer `PUBLIC_URL`
 * @param options.now clock in milliseconds; the system's when left out
 */
export function createAccessTokens(options: {
  keyring: SigningKeyring;
  issuer: string;
  ttlSeconds: number;
  now?: () => number;
}): AccessTokens {
  const { keyring, ttlSeconds, now = Date.now } = options;
  const kind: TokenKind = { typ: 'at+jwt', issuer: options.issuer, audience: `${options.issuer}/api` };
  const cache = createTokenCache<AccessTokenClaims>(maxCachedTokens);

  return {
    async issue({ user_id, tenant_id, session_id }) {
      const claims = { sub: user_id, tid: tenant_id, sid: session_id };
      return {
        token: await signToken(keyring, kind, claims, { now: now(), ttlSeconds }),
        expires_in_seconds: ttlSeconds,
      };
    },

    async verify(token) {
      const nowMs = now();
      const cached = cache.get(token, nowMs);
      if (cached !== undefined) {
        return cached;
      }
      try {
        const claims = await verifyToken(keyring, kind, accessClaims, { token, now: nowMs });
        cache.put(token, claims, Math.min(claims.expires_at * 1000, nowMs + cacheSeconds * 1000));
        return claims;
      } catch (cause) {
        throw tokenRefused(cause);
      }
    },
  };
}

/** The answer to every bearer token that is not accepted, whatever was wrong with it. */
export function tokenRefused(cause: unknown): Problem {
  return new Problem({ code: 'auth.required', detail: 'The access token is not valid.', cause });
}

/** Results of verification by the SHA-256 of the token: the tokens themselves are not kept in memory. */
type TokenCache<T> = {
  readonly get: (token: string, nowMs: number) => T | undefined;
  readonly put: (token: string, value: T, untilMs: number) => void;
};

/** Creates a cache of at most `capacity` tokens; the least recently used one is evicted. */
export function createTokenCache<T>(capacity: number): TokenCache<T> {
  const entries = new LRUCache<string, { value: T; untilMs: number }>({ max: capacity });
  const digest = (token: string): string => createHash('sha256').update(token, 'utf8').digest('base64');
  return {
    get(token, nowMs) {
      const entry = entries.get(digest(token));
      return entry !== undefined && entry.untilMs > nowMs ? entry.value : undefined;
    },
    put(token, value, untilMs) {
      entries.set(digest(token), { value, untilMs });
    },
  };
}
