import {
  type Configuration,
  type CustomFetchOptions,
  type ServerMetadata,
  ClientSecretPost,
  Configuration as ClientConfiguration,
  None,
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import { isStorable } from '../../domain/shared/storable-json.ts';
import { OutboundFailedError, createOutboundHttp } from '../outbound/outbound-http.ts';
import type { OutboundHttp } from '../outbound/outbound-http.ts';
import { Problem } from '../problem.ts';

/** One OpenID provider people can sign in with (`OIDC_PROVIDERS`). */
export interface OidcProvider {
  readonly name: string;
  readonly issuer: string;
  readonly client_id: string;
  readonly client_secret?: string | undefined;
  readonly scope: string;
}

/** The state between the redirect and the callback of a sign-in; secret. */
export interface OidcSecrets {
  readonly state: string;
  readonly nonce: string;
  readonly code_verifier: string;
}

/** Whom a provider has authenticated. */
export interface OidcPerson {
  readonly issuer: string;
  readonly subject: string;
  /** In lower case; null unless the provider says that it has verified it. */
  readonly verified_email: string | null;
}

/** Signs people in by OpenID Connect: authorization code with PKCE (S256), state and nonce. */
export interface OidcClient {
  /** Where to send the browser. */
  begin(provider: OidcProvider, redirectUri: string): Promise<{ url: string; secrets: OidcSecrets }>;
  /**
   * Redeems the code in the address the browser came back with, and verifies the ID token with the provider's present
   * keys: signature, issuer, audience, times, nonce.
   *
   * @throws Problem `auth.oidc-refused` without saying what was wrong, or 503 when the provider cannot be reached.
   */
  finish(provider: OidcProvider, returned: URL, secrets: OidcSecrets): Promise<OidcPerson>;
  close(): Promise<void>;
}

const metadataMaxAgeMs = 10 * 60_000;

/**
 * Creates the OpenID Connect client of the configured providers. It has an outbound client of its own: the operator names
 * these hosts, so they may be private ones, and no others.
 *
 * @param options.allowsHttp accept providers without TLS; for development and tests
 */
export function createOidcClient(
  providers: readonly OidcProvider[],
  options: { allowsHttp: boolean; now?: () => number },
): OidcClient {
  const { allowsHttp, now = Date.now } = options;
  const outbound = createOutboundHttp({ allow: providers.map(({ issuer }) => new URL(issuer).host) });
  const fetchOutbound = fetchThrough(outbound);
  const known = new Map<string, { metadata: ServerMetadata; atMs: number }>();

  const secured = (configuration: Configuration): Configuration => {
    configuration[customFetch] = fetchOutbound;
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so to stand out; never in production
    if (allowsHttp) allowInsecureRequests(configuration);
    // The signature is verified although the token comes from the provider directly.
    enableNonRepudiationChecks(configuration);
    return configuration;
  };

  /** Metadata are cached for a while; keys are not, so that the next sign-in knows a rotated key. */
  const configure = async (provider: OidcProvider): Promise<Configuration> => {
    const { client_id, client_secret } = provider;
    const authentication = client_secret === undefined ? None() : ClientSecretPost(client_secret);
    const cached = known.get(provider.name);
    if (cached !== undefined && now() - cached.atMs < metadataMaxAgeMs) {
      return secured(new ClientConfiguration(cached.metadata, client_id, undefined, authentication));
    }
    const found = await discovery(new URL(provider.issuer), client_id, undefined, authentication, {
      [customFetch]: fetchOutbound,
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- as above
      execute: allowsHttp ? [allowInsecureRequests] : [],
    });
    known.set(provider.name, { metadata: found.serverMetadata(), atMs: now() });
    return secured(found);
  };

  return {
    async begin(provider, redirectUri) {
      const configuration = await configure(provider).catch((error: unknown) => {
        throw providerProblem(error);
      });
      const secrets = { state: randomState(), nonce: randomNonce(), code_verifier: randomPKCECodeVerifier() };
      const url = buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: provider.scope,
        state: secrets.state,
        nonce: secrets.nonce,
        code_challenge: await calculatePKCECodeChallenge(secrets.code_verifier),
        code_challenge_method: 'S256',
      });
      return { url: url.href, secrets };
    },

    async finish(provider, returned, { state, nonce, code_verifier }) {
      try {
        const configuration = await configure(provider);
        const tokens = await authorizationCodeGrant(configuration, returned, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: code_verifier,
          idTokenExpected: true,
        });
        const claims = tokens.claims();
        if (claims === undefined) throw new Error('The provider gave no ID token.');
        const identified = 'email' in claims ? claims : await userInfo(configuration, tokens.access_token, claims.sub);
        const verified_email = verifiedEmail(identified);
        if (!isStorable(claims.sub) || !isStorable(verified_email ?? '')) throw new Error('The ID token holds what cannot be stored.');
        return { issuer: claims.iss, subject: claims.sub, verified_email };
      } catch (error) {
        throw providerProblem(error);
      }
    },

    close: () => outbound.close(),
  };
}

/** Providers may keep the address out of the ID token; the library checks that the answer is about the same person. */
async function userInfo(configuration: Configuration, accessToken: string, subject: string) {
  const hasEndpoint = configuration.serverMetadata().userinfo_endpoint !== undefined;
  return hasEndpoint ? fetchUserInfo(configuration, accessToken, subject) : {};
}

function verifiedEmail(claims: { readonly email?: unknown; readonly email_verified?: unknown }): string | null {
  const { email, email_verified } = claims;
  return typeof email === 'string' && email_verified === true ? email.toLowerCase() : null;
}

/** The library's requests, sent by the guarded outbound client. It gives redirects as answers, as the library expects. */
export function fetchThrough(outbound: Pick<OutboundHttp, 'send'>) {
  return async (url: string, { method, headers, body, signal }: CustomFetchOptions): Promise<Response> => {
    const answer = await outbound.send({
      url,
      method: method === 'POST' ? 'POST' : 'GET',
      headers,
      ...(body instanceof URLSearchParams || typeof body === 'string' ? { body: body.toString() } : {}),
      ...(signal === undefined ? {} : { signal }),
    });
    const hasBody = answer.status !== 204 && answer.status !== 304;
    return new Response(hasBody ? answer.body : null, { status: answer.status, headers: answer.headers });
  };
}

function providerProblem(error: unknown): Problem {
  return isUnavailable(error)
    ? new Problem({
        code: 'service.unavailable',
        detail: 'The identity provider does not answer.',
        retryAfterSeconds: 10,
        cause: error,
      })
    : new Problem({ code: 'auth.oidc-refused', detail: 'Start the sign-in again.', cause: error });
}

/** The library wraps what its requests throw, sometimes more than once. */
function isUnavailable(error: unknown): boolean {
  if (error instanceof OutboundFailedError) return true;
  return error instanceof Error && error.cause !== undefined && isUnavailable(error.cause);
}
