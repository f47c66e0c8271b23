import {
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  jwtVerify,
} from 'jose';
import { isStorable } from '../../domain/shared/storable-json.ts';
import { createTokenCache, tokenRefused } from './access-token.ts';
import { createOutboundHttp } from '../outbound/outbound-http.ts';
import { Problem } from '../problem.ts';

/** Tolerance for an issuer's clock; larger than among our own processes. */
const clockSkewSeconds = 30;
const cacheSeconds = 60;
const maxCachedTokens = 10_000;
/** After an unknown key id the key set is fetched again, but not more often than this. */
const keySetCooldownMs = 30_000;
const keySetMaxAgeMs = 10 * 60_000;
/** How long the last known key set is used while the issuer does not answer. */
const staleKeySetMs = 24 * 60 * 60_000;
const maxTokenLength = 16_384;
/** What the columns take; no account is linked to a longer subject. */
const maxSubjectLength = 255;
const maxEmailLength = 320;

/** One issuer whose tokens we accept (`TRUSTED_ISSUERS`), and how its claims are read. */
export type ExternalIssuerConfig = {
  readonly issuer: string;
  /** The `aud` that a token must have. Without it a token must have none, and `authorized_parties` say whom it is meant for. */
  readonly audience?: string | undefined;
  readonly jwks_uri: string;
  readonly algorithms: readonly string[];
  /** Accepted `azp` values; with none given the claim is not checked. */
  readonly authorized_parties: readonly string[];
  readonly tenant_id: string;
  /** Names of the claims; `sub`, `email`, `sid` and `roles` when left out. */
  readonly claims?: {
    readonly subject?: string;
    readonly email?: string;
    readonly session?: string;
    readonly roles?: string;
  };
  /** The issuer's role names and ours. A role that is not named here gives nothing. */
  readonly roles?: Readonly<Record<string, string>>;
};

/** Whom an external token identifies. The person is looked up by issuer and subject, never by e-mail alone. */
export type ExternalIdentity = {
  readonly issuer: string;
  readonly subject: string;
  readonly tenant_id: string;
  readonly email: string | null;
  /** The issuer's own session, when it names one. */
  readonly session: string | null;
  /** Our role names, after mapping. */
  readonly roles: readonly string[];
  /** Seconds since 1970. */
  readonly issued_at: number;
  /** Seconds since 1970. */
  readonly expires_at: number;
};

/** Verifies bearer tokens of configured issuers. */
export type ExternalIssuers = {
  /** True when the token claims to come from one of them; nothing is verified. */
  readonly speaksFor: (token: string) => boolean;
  /** @throws Problem 401 that does not say what was wrong, or 503 when the issuer's keys cannot be fetched. */
  readonly verify: (token: string) => Promise<ExternalIdentity>;
  readonly close: () => Promise<void>;
};

/**
 * Creates the verifier of tokens of the configured issuers. Keys come from the configured address only; the token selects no
 * more than one of the issuers and one of its keys.
 *
 * @param options.now clock in milliseconds; the system's when left out
 */
export function createExternalIssuers(
  configs: readonly ExternalIssuerConfig[],
  options: { now?: () => number } = {},
): ExternalIssuers {
  const now = options.now ?? Date.now;
  // The operator names these hosts in the environment, so they may be private ones, for this outbound client only.
  const outbound = createOutboundHttp({ allow: configs.map((config) => new URL(config.jwks_uri).hostname) });
  const issuers = new Map(
    configs.map((config) => [config.issuer, { config, keys: resilientKeySet(config.jwks_uri, outbound, now) }]),
  );
  const cache = createTokenCache<ExternalIdentity>(maxCachedTokens);

  return {
    // Most deployments have none, and every request asks: then no token is decoded for it.
    speaksFor: (token) => issuers.size > 0 && issuers.has(claimedIssuer(token) ?? ''),

    async verify(token) {
      const nowMs = now();
      const cached = cache.get(token, nowMs);
      if (cached !== undefined) {
        return cached;
      }
      const issuer = issuers.get(claimedIssuer(token) ?? '');
      if (issuer === undefined) {
        throw tokenRefused(new Error('No such issuer is configured.'));
      }
      const identity = await verifyWith(issuer.config, issuer.keys, token, nowMs);
      cache.put(token, identity, Math.min(identity.expires_at * 1000, nowMs + cacheSeconds * 1000));
      return identity;
    },

    close: () => outbound.close(),
  };
}

async function verifyWith(
  config: ExternalIssuerConfig,
  keys: JWTVerifyGetKey,
  token: string,
  nowMs: number,
): Promise<ExternalIdentity> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: [...config.algorithms],
      issuer: config.issuer,
      ...(config.audience === undefined ? {} : { audience: config.audience }),
      clockTolerance: clockSkewSeconds,
      currentDate: new Date(nowMs),
      requiredClaims: ['exp', 'iat', config.claims?.subject ?? 'sub'],
    });
    assertInForce(config, payload, nowMs);
    return identityOf(config, payload);
  } catch (cause) {
    if (cause instanceof KeySetUnavailableError) {
      throw new Problem({
        code: 'service.unavailable',
        detail: 'The issuer of this token cannot be reached to verify it.',
        retryAfterSeconds: keySetCooldownMs / 1000,
        cause,
      });
    }
    throw tokenRefused(cause);
  }
}

/**
 * What the library does not look at.
 *
 * @throws Error when the token is meant for somebody else, of a time to come, or of a session that is not active.
 */
function assertInForce(config: ExternalIssuerConfig, payload: JWTPayload, nowMs: number): void {
  if (config.audience === undefined && payload.aud !== undefined) {
    throw new Error('The token is meant for another audience.');
  }
  if ((payload.iat ?? 0) > Math.floor(nowMs / 1000) + clockSkewSeconds) {
    throw new Error('The token was issued in the future.');
  }
  // Clerk's word for the state of the session: with anything but `active` a person is signed out, to Clerk's own libraries as well.
  if (payload['sts'] !== undefined && payload['sts'] !== 'active') throw new Error('The session is not active.');
  if (config.authorized_parties.length > 0 && !config.authorized_parties.includes(textClaim(payload, 'azp') ?? '')) {
    throw new Error('The token was issued to another party.');
  }
}

/** @throws Error when the token names nobody, or a claim that is read could not be stored. */
function identityOf(config: ExternalIssuerConfig, payload: JWTPayload): ExternalIdentity {
  const subject = textClaim(payload, config.claims?.subject ?? 'sub', maxSubjectLength);
  if (subject === null || payload.exp === undefined || payload.iat === undefined) {
    throw new Error('The token names nobody.');
  }
  const roles = payload[config.claims?.roles ?? 'roles'];
  const theirRoles = (Array.isArray(roles) ? roles : [roles]).filter((role) => typeof role === 'string');
  if (!theirRoles.every(isStorable)) throw new Error('A role has a character that cannot be stored.');
  const mapping = new Map(Object.entries(config.roles ?? {}));
  return {
    issuer: config.issuer,
    subject,
    tenant_id: config.tenant_id,
    email: textClaim(payload, config.claims?.email ?? 'email', maxEmailLength),
    session: textClaim(payload, config.claims?.session ?? 'sid'),
    roles: theirRoles.flatMap((role) => mapping.get(role) ?? []),
    issued_at: payload.iat,
    expires_at: payload.exp,
  };
}

/**
 * A claim that is a text; null where there is none.
 *
 * @throws Error when it is longer than `maxLength`, or has a character that PostgreSQL cannot store.
 */
function textClaim(payload: JWTPayload, name: string, maxLength = maxTokenLength): string | null {
  const value = payload[name];
  if (typeof value !== 'string' || value === '') return null;
  if (value.length > maxLength || !isStorable(value)) throw new Error(`The claim ${name} cannot be stored.`);
  return value;
}

/** The `iss` claim, not verified: it only selects the configuration to verify with. */
function claimedIssuer(token: string): string | null {
  if (token.length > maxTokenLength) {
    return null;
  }
  try {
    return decodeJwt(token).iss ?? null;
  } catch {
    return null;
  }
}

/** The issuer's key set was never fetched, or not for a day. */
class KeySetUnavailableError extends Error {
  override readonly name = 'KeySetUnavailableError';
}

/**
 * The issuer's key set: cached for ten minutes, fetched again for an unknown key id (at most every 30 s), and the last one
 * is used for a day while the issuer does not answer.
 */
function resilientKeySet(
  jwksUri: string,
  outbound: { send: ReturnType<typeof createOutboundHttp>['send'] },
  now: () => number,
): JWTVerifyGetKey {
  let lastGood: { keys: JWTVerifyGetKey; atMs: number } | undefined;
  const remote = createRemoteJWKSet(new URL(jwksUri), {
    cooldownDuration: keySetCooldownMs,
    cacheMaxAge: keySetMaxAgeMs,
    timeoutDuration: 5_000,
    async [customFetch](url, { signal }) {
      const answer = await outbound.send({ url, method: 'GET', headers: { accept: 'application/json' }, signal });
      if (answer.status === 200) {
        const keySet = parseKeySet(answer.body);
        lastGood = { keys: createLocalJWKSet(keySet), atMs: now() };
      }
      return new Response(answer.body, { status: answer.status, headers: { 'content-type': 'application/json' } });
    },
  });
  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (error) {
      if (isKeyChoiceError(error)) {
        throw error;
      }
      if (lastGood === undefined || now() - lastGood.atMs > staleKeySetMs) {
        throw new KeySetUnavailableError('The key set cannot be fetched.', { cause: error });
      }
      return lastGood.keys(header, token);
    }
  };
}

/** True when there was a key set and the token's key was not in it, or not for that algorithm. */
function isKeyChoiceError(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

function parseKeySet(body: string): JSONWebKeySet {
  const parsed: unknown = JSON.parse(body);
  if (typeof parsed !== 'object' || parsed === null || !('keys' in parsed) || !Array.isArray(parsed.keys)) {
    throw new Error('The key set is not one.');
  }
  return { keys: parsed.keys as JSONWebKeySet['keys'] };
}
