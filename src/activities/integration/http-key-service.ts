import type { JsonValue } from '../../domain/shared/canonical.ts';
import { serviceUrl } from '../../domain/integration/integration.ts';
import type { OAuthConfig, RestConfig } from '../../domain/integration/integration.ts';
import { asIdentifier, atPointer, readPage } from '../../domain/integration/integration-records.ts';
import { isTooDeep } from '../../domain/shared/storable-json.ts';
import { retryAfterMs } from '../../domain/shared/retry-after.ts';
import { TokenRefusedError, requestAccessToken } from '../../platform/outbound/client-credentials.ts';
import type { OutboundHttp, OutboundRequest, OutboundResponse } from '../../platform/outbound/outbound-http.ts';
import { RemoteError, outboundFault } from './remote-fault.ts';
import type { KeyService } from './remote-source.ts';

/** Makes the headers that authenticate a request. */
type Authentication = () => Promise<Record<string, string>>;

type Call = Pick<OutboundRequest, 'method'> & { path: string; query?: Record<string, string>; idempotencyKey?: string };

/** A key that the remote service has created must be one that we can send. */
const sendableKey = /^[\x21-\x7e]{8,1000}$/;
const sendableId = /^[\w.~:-]{1,200}$/;

/** A service with JSON over HTTP, authenticated by API key or by client credentials. Nothing is sent yet. */
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
      assertSuccess(await send({ method: 'GET', path: config.probe_path }));
    },

    async pull(cursor) {
      const { page_size, limit_param, cursor_param } = config.paging;
      const query = { [limit_param]: String(page_size), ...(cursor === null ? {} : { [cursor_param]: cursor }) };
      const answer = assertSuccess(await send({ method: 'GET', path: config.records_path, query }));
      const page = readPage(parseJson(answer), config.paging);
      if (page === null) throw new RemoteError('unexpected', 'The answer is no page of records as configured.');
      return page;
    },

    async createKey(idempotencyKey) {
      const management = managementOf(config);
      const answer = assertSuccess(await send({ method: 'POST', path: management.path, idempotencyKey }));
      const created = parseJson(answer);
      const key_id = asIdentifier(atPointer(created, management.id_pointer));
      const fresh = atPointer(created, management.secret_pointer);
      if (key_id === null || !sendableId.test(key_id) || typeof fresh !== 'string' || !sendableKey.test(fresh)) {
        throw new RemoteError('unexpected', 'The answer holds no key where the configuration says.');
      }
      return { key_id, secret: fresh };
    },

    async revokeKey(keyId) {
      const path = `${managementOf(config).path}/${encodeURIComponent(keyId)}`;
      const answer = await send({ method: 'DELETE', path });
      if (answer.status !== 404 && answer.status !== 410) assertSuccess(answer);
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
    // One token for this connection, which lasts for one activity, so it never outlives the secret it was issued for.
    token ??= requestAccessToken(outbound, { token_url, client_id, client_secret: secret, client_authentication, scope });
    return { authorization: `Bearer ${await token}` };
  };
}

/**
 * Turns what is thrown into a {@link RemoteError}. Its message never contains that of a library, which may quote the
 * request.
 */
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
  if (isTransientStatus(status)) {
    return new RemoteError('failing', `The token endpoint answered ${status}.`, requestedWait(status, error.retryAfter));
  }
  if (error.error === 'invalid_client' || error.error === 'unauthorized_client' || status === 401) {
    return new RemoteError('refused', 'The token endpoint refused the client secret.');
  }
  return new RemoteError('unexpected', `The token endpoint answered ${status}.`);
}

function assertSuccess(answer: OutboundResponse): OutboundResponse {
  const { status } = answer;
  if (status >= 200 && status < 300) return answer;
  if (status === 401 || status === 403) throw new RemoteError('refused', `The service refused the key (${status}).`);
  if (isTransientStatus(status)) {
    throw new RemoteError('failing', `The service answered ${status}.`, requestedWait(status, answer.headers['retry-after']));
  }
  throw new RemoteError('unexpected', `The service answered ${status}.`);
}

/** True for a status after which a retry may help. */
function isTransientStatus(status: number): boolean {
  return status >= 500 || status === 429 || status === 408;
}

/** `Retry-After` says when to retry with statuses 429 and 503 only. */
function requestedWait(status: number, header: string | undefined): { retryAfterMs: number | null } {
  return { retryAfterMs: status === 429 || status === 503 ? retryAfterMs(header, Date.now()) : null };
}

function parseJson({ body }: OutboundResponse): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(body) as JsonValue;
  } catch {
    throw new RemoteError('unexpected', 'The answer is not JSON.');
  }
  // Before anything is done with it: what can be parsed may be too deep to be written again.
  if (isTooDeep(value)) throw new RemoteError('unexpected', 'The answer is nested too deeply.');
  return value;
}
