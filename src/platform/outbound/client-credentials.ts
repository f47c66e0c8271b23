import {
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
  allowInsecureRequests,
  clientCredentialsGrant,
  customFetch,
} from 'openid-client';
import { fetchThrough } from '../security/oidc-client.ts';
import type { OutboundHttp } from './outbound-http.ts';

/** A client of a token endpoint (RFC 6749 section 4.4). */
interface ClientCredentials {
  readonly token_url: string;
  readonly client_id: string;
  readonly client_secret: string;
  readonly client_authentication: 'basic' | 'post';
  readonly scope: string | null;
}

/** The token endpoint answered without a token. */
export class TokenRefusedError extends Error {
  override readonly name = 'TokenRefusedError';
  /** The OAuth error code, such as `invalid_client`; `server_error` when the answer has none. */
  readonly error: string;
  readonly status: number;
  /** The header `Retry-After` of the answer. */
  readonly retryAfter: string | undefined;

  constructor(error: string, response: Response, options: ErrorOptions) {
    super(`The token endpoint refused: ${error}.`, options);
    this.error = error;
    this.status = response.status;
    this.retryAfter = response.headers.get('retry-after') ?? undefined;
  }
}

/**
 * Requests an access token for client id and secret, through the outbound client, which decides whether plain http is
 * permitted.
 *
 * @throws TokenRefusedError for an answer without a token, and the errors of the outbound client.
 */
export async function requestAccessToken(
  outbound: Pick<OutboundHttp, 'send'>,
  { token_url, client_id, client_secret, client_authentication, scope }: ClientCredentials,
): Promise<string> {
  const authentication =
    client_authentication === 'basic' ? ClientSecretBasic(client_secret) : ClientSecretPost(client_secret);
  const metadata = { issuer: new URL(token_url).origin, token_endpoint: token_url };
  const configuration = new Configuration(metadata, client_id, undefined, authentication);
  configuration[customFetch] = fetchThrough(outbound);
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated as a warning only; the outbound client requires https
  allowInsecureRequests(configuration);
  try {
    const { access_token } = await clientCredentialsGrant(configuration, scope === null ? {} : { scope });
    return access_token;
  } catch (error) {
    if (error instanceof ResponseBodyError) throw new TokenRefusedError(error.error, error.response, { cause: error });
    if (error instanceof WWWAuthenticateChallengeError) {
      throw new TokenRefusedError('invalid_client', error.response, { cause: error });
    }
    // A failing service, or a proxy in front of it, answers in no form that OAuth defines.
    if (error instanceof Error && error.cause instanceof Response && error.cause.status >= 400) {
      throw new TokenRefusedError('server_error', error.cause, { cause: error });
    }
    throw error;
  }
}
