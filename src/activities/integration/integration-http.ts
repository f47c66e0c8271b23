import type { JsonValue } from '../../domain/shared/canonical.ts';
import { serviceUrl } from '../../domain/integration/integration.ts';
import type { OAuthConfig, RestConfig } from '../../domain/integration/integration.ts';
import { asIdentifier, atPointer, readPage } from '../../domain/integration/integration-records.ts';
import { retryAfterMs } from '../../domain/shared/retry-after.ts';
import { TokenRefusedError, requestAccessToken } from '../../platform/outbound/client-credentials.ts';
import type { OutboundHttp, OutboundRequest, OutboundResponse } from '../../platform/outbound/outbound-http.ts';
import { RemoteError, outboundFault } from './integration-source.ts';
import type { KeyService } from './integration-source.ts';

/** What a request is proven with. */
type Authentication = () => Promise<Record<string, string>>;

type Call = Pick<OutboundRequest, 'method'> & { path: string; query?: Record<string, string>; idempotencyKey?: string };

/** A key that the remote service has made must be one that we can send. */
const sendableKey = /^[\x21-\x7e]{8,1000}$/;
const sendableId = /^[\w.~:-]{1,200}$/;

/** Connects with a service that speaks JSON over HTTP, by API key or by client credentials. */
export function connectHttp(outbound: OutboundHttp, config: RestConfig | OAuthConfig, secret: string): KeyService {
  const authenticate = authenticationOf(outbound, config, secret);

  const send = async ({ method, path, query = {}, idempotencyKey }: Call): Promise<OutboundResponse> => {
    const url = new URL(serviceUrl(config.base_url, path));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const answer = await attempt(async () =>
      outbound.send({
        url: url.href,
        method,
        headers: {
          accept: 'application/json',
          ...(await authenticate()),
          ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        ...(method === 'POST' ? { body: '{}' } : {}),
      }),
    );
    return answer;
  };

  return {
    async probe() {
      requireSuccess(await send({ method: 'GET', path: config.probe_path }));
    },

    async pull(cursor) {
      const { page_size, limit_param, cursor_param } = config.paging;
      const query = { [limit_param]: String(page_size), ...(cursor === null ? {} : { [cursor_param]: cursor }) };
      const answer = requireSuccess(await send({ method: 'GET', path: config.records_path, query }));
      const page = readPage(parseJson(answer), config.paging);
      if (page === null) throw new RemoteError('unexpected', 'The answer is no page of records as configured.');
      return page;
    },

    async createKey(idempotencyKey) {
      const management = managementOf(config);
      const answer = requireSuccess(await send({ method: 'POST', path: management.path, idempotencyKey }));
      const made = parseJson(answer);
      const key_id = asIdentifier(atPointer(made, management.id_pointer));
      const fresh = atPointer(made, management.secret_pointer);
      if (key_id === null || !sendableId.test(key_id) || typeof fresh !== 'string' || !sendableKey.test(fresh)) {
        throw new RemoteError('unexpected', 'The answer holds no key where the configuration says.');
      }
      return { key_id, secret: fresh };
    },

    async revokeKey(keyId) {
      const path = `${managementOf(config).path}/${encodeURIComponent(keyId)}`;
      const answer = await send({ method: 'DELETE', path });
      if (answer.status !== 404 && answer.status !== 410) requireSuccess(answer);
    },
  };
}

function managementOf({ key_management }: RestConfig | OAuthConfig) {
  if (key_management === null) throw new RemoteError('unexpected', 'The configuration names no key management.');
  return key_management;
}

function authenticationOf(outbound: OutboundHttp, config: RestConfig | OAuthConfig, secret: string): Authentication {
  if (config.kind === 'rest_api_key') {
    const { auth_header, auth_scheme } = config;
    const value = auth_scheme === null ? secret : `${auth_scheme} ${secret}`;
    return async () => ({ [auth_header.toLowerCase()]: value });
  }
  const { token_url, client_id, client_authentication, scope } = config;
  let token: Promise<string> | null = null;
  return async () => {
    // One token for the life of this connection, which is one activity: it never outlives the secret it was got for.
    token ??= requestAccessToken(outbound, { token_url, client_id, client_secret: secret, client_authentication, scope });
    return { authorization: `Bearer ${await token}` };
  };
}

/** What goes wrong on the way, as a fault. A fault never carries what the library says: that may quote the request. */
async function attempt<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const fault = outboundFault(error);
    if (fault !== null) throw fault;
    if (error instanceof TokenRefusedError) throw tokenFault(error);
    throw new RemoteError('unexpected', 'The token endpoint gave no answer that could be understood.', { cause: error });
  }
}

function tokenFault(error: TokenRefusedError): RemoteError {
  const { status } = error;
  if (isTrouble(status)) {
    return new RemoteError('failing', `The token endpoint answered ${status}.`, waitAskedFor(status, error.retryAfter));
  }
  if (error.error === 'invalid_client' || error.error === 'unauthorized_client' || status === 401) {
    return new RemoteError('refused', 'The token endpoint refused the client secret.');
  }
  return new RemoteError('unexpected', `The token endpoint answered ${status}.`);
}

function requireSuccess(answer: OutboundResponse): OutboundResponse {
  const { status } = answer;
  if (status >= 200 && status < 300) return answer;
  if (status === 401 || status === 403) throw new RemoteError('refused', `The service refused the key (${status}).`);
  if (isTrouble(status)) {
    throw new RemoteError('failing', `The service answered ${status}.`, waitAskedFor(status, answer.headers['retry-after']));
  }
  throw new RemoteError('unexpected', `The service answered ${status}.`);
}

/** Trouble that may pass. */
function isTrouble(status: number): boolean {
  return status >= 500 || status === 429 || status === 408;
}

/** `Retry-After` means when to ask again with these two answers only. */
function waitAskedFor(status: number, header: string | undefined): { retryAfterMs: number | null } {
  return { retryAfterMs: status === 429 || status === 503 ? retryAfterMs(header, Date.now()) : null };
}

function parseJson({ body }: OutboundResponse): JsonValue {
  try {
    return JSON.parse(body) as JsonValue;
  } catch {
    throw new RemoteError('unexpected', 'The answer is not JSON.');
  }
}
