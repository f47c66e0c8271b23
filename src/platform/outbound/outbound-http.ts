import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import type { OutboundAgent } from './outbound-agent.ts';
import { canonicalHost, isPublicAddress, parseAllowList } from './address-guard.ts';

/** Why a request was refused before a connection was made. A retry does not help. */
type OutboundRefusal = 'url' | 'scheme' | 'credentials' | 'port' | 'address';

/** The request was not sent, because its target is not permitted. */
export class OutboundRefusedError extends Error {
  override readonly name = 'OutboundRefusedError';
  readonly refusal: OutboundRefusal;

  constructor(refusal: OutboundRefusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

/** No connection, no answer in time, or too long an answer. May be retried. */
export class OutboundFailedError extends Error {
  override readonly name = 'OutboundFailedError';
}

/** The answer is longer than it may be. */
export class OutboundTooLargeError extends OutboundFailedError {}

/** One outbound request. `body` is sent unchanged. */
export type OutboundRequest = {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Time limit of the whole exchange in milliseconds; 10 s when left out. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

/** The answer, whatever its status. Redirects are answers too and never followed. */
export type OutboundResponse = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** The only client by which the system calls others over HTTP. */
export type OutboundHttp = {
  /** Sends one request. Throws {@link OutboundRefusedError} or {@link OutboundFailedError}. */
  readonly send: (request: OutboundRequest) => Promise<OutboundResponse>;
  /**
   * Checks a target without connecting: form, scheme, port and every address that its name has now. For the time when a
   * person configures it; `send` checks again. Throws {@link OutboundRefusedError}.
   */
  readonly check: (url: string) => Promise<void>;
  /**
   * The permitted addresses of a host for a connection in another protocol, and whether the host is exempt from the rules
   * for the Internet. Connect to one of these addresses, not to the name, which may resolve differently a moment later.
   * Throws like {@link send}.
   */
  readonly addressesOf: (host: string, port: number) => Promise<{ addresses: ResolvedAddress[]; isExempt: boolean }>;
  /** Closes idle connections. */
  readonly close: () => Promise<void>;
};

/** An address with its family, as the resolver gives it. */
export type ResolvedAddress = { readonly address: string; readonly family: number };

const defaultTimeoutMs = 10_000;
const defaultMaxResponseBytes = 256 * 1024;
const httpsPort = 443;

/**
 * Creates the outbound client. Requests are sent only by https to port 443 of a host all of whose addresses are public,
 * and the connection is made to an address that was checked rather than to the result of a second look-up (SSRF, DNS
 * rebinding: ASVS 1.3.6, 15.3.2). Targets in `allow` are exempt: any port, and http too.
 *
 * @param options.allow hosts, `host:port` or address ranges that may be reached although they are private.
 * @param options.resolve gives all addresses of a name; the system's resolver when left out.
 * @param options.maxResponseBytes longest answer; 256 KiB when left out.
 */
export function createOutboundHttp(options: {
  allow: readonly string[];
  resolve?: (host: string) => Promise<ResolvedAddress[]>;
  maxResponseBytes?: number;
}): OutboundHttp {
  const allowList = parseAllowList(options.allow);
  const { maxResponseBytes = defaultMaxResponseBytes } = options;
  const resolve = options.resolve ?? ((host: string) => systemLookup(host, { all: true, order: 'verbatim' }));

  /** All addresses of a host; refuses it when a single one is not permitted. */
  const permittedAddresses = async (host: string, port: number): Promise<ResolvedAddress[]> => {
    const literal = host.startsWith('[') ? host.slice(1, -1) : host;
    const family = /^[\d.]+$/.test(literal) ? 4 : literal.includes(':') ? 6 : null;
    const addresses = family === null ? await resolveHost(resolve, host) : [{ address: literal, family }];
    const permitted = (address: string): boolean =>
      allowList.allowsHost(host, port) || allowList.allowsAddress(address, port) || isPublicAddress(address);
    if (addresses.length === 0 || !addresses.every(({ address }) => permitted(address))) {
      throw new OutboundRefusedError('address', `${host} is not on the public Internet.`);
    }
    return addresses;
  };

  let agent: Promise<OutboundAgent> | undefined;
  const openAgent = async () => {
    const { createOutboundAgent } = await import('./outbound-agent.ts'); // few processes call others by HTTP soon after their start
    // Node skips `lookup` for literal addresses; those are checked in `send` before the agent sees them.
    const lookupOf = (port: number) => checkedLookup((host) => permittedAddresses(host, port));
    return createOutboundAgent({ lookupOf: ({ protocol, port }) => lookupOf(port === '' ? schemePort(protocol) : Number(port)), maxResponseBytes });
  };

  const addressesOf = async (host: string, port: number) => {
    const addresses = await permittedAddresses(host, port);
    const isExempt =
      allowList.allowsHost(host, port) || addresses.every(({ address }) => allowList.allowsAddress(address, port));
    return { addresses, isExempt };
  };

  const check = async (url: string): Promise<URL> => {
    const target = parseTarget(url);
    const port = portOf(target);
    const { isExempt: exempt } = await addressesOf(target.hostname, port);
    if (target.protocol !== 'https:' && !exempt) {
      throw new OutboundRefusedError('scheme', 'Only https is permitted.');
    }
    if (port !== httpsPort && !exempt) {
      throw new OutboundRefusedError('port', `Port ${port} is not permitted.`);
    }
    return target;
  };

  return {
    async check(url) {
      await check(url);
    },

    addressesOf: (host, port) => addressesOf(canonicalHost(host), port),

    async send({ url, method, headers = {}, body, timeoutMs = defaultTimeoutMs, signal }) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const target = await check(url);
      const { request, isTooLarge } = await (agent ??= openAgent());
      try {
        const answer = await request(target, {
          method,
          headers: { 'user-agent': 'Castellan', ...headers },
          body: body ?? null,
          signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
          headersTimeout: timeoutMs,
          bodyTimeout: timeoutMs,
        });
        return { status: answer.statusCode, headers: flatten(answer.headers), body: await answer.body.text() };
      } catch (cause) {
        if (isTooLarge(cause)) throw new OutboundTooLargeError(`The answer is longer than ${maxResponseBytes} bytes.`, { cause });
        throw outboundError(cause, timeout.aborted ? `no answer within ${timeoutMs} ms` : null);
      }
    },

    close: async () => (await agent)?.close(),
  };
}

function parseTarget(url: string): URL {
  if (!URL.canParse(url)) {
    throw new OutboundRefusedError('url', 'The address is not a URL.');
  }
  const target = new URL(url);
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw new OutboundRefusedError('scheme', 'Only https is permitted.');
  }
  if (target.username !== '' || target.password !== '') {
    throw new OutboundRefusedError('credentials', 'The address may not carry a user name or password.');
  }
  target.hostname = canonicalHost(target.hostname);
  return target;
}

function portOf(target: URL): number {
  return target.port === '' ? schemePort(target.protocol) : Number(target.port);
}

function schemePort(protocol: string): number {
  return protocol === 'https:' ? httpsPort : 80;
}

async function resolveHost(
  resolve: (host: string) => Promise<ResolvedAddress[]>,
  host: string,
): Promise<ResolvedAddress[]> {
  try {
    return await resolve(host);
  } catch (cause) {
    throw new OutboundFailedError(`${host} could not be resolved.`, { cause });
  }
}

/** The look-up of the connecting socket: it checks the addresses at the time of the connection. */
function checkedLookup(permittedAddresses: (host: string) => Promise<ResolvedAddress[]>): LookupFunction {
  return (host, options, callback) => {
    permittedAddresses(host).then(
      (addresses) => {
        if (options.all === true) {
          callback(null, [...addresses]);
        } else {
          callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
        }
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), []),
    );
  };
}

/** One of our two errors; the error of undici or the socket is kept as the cause and never shown. */
function outboundError(cause: unknown, timeout: string | null): OutboundRefusedError | OutboundFailedError {
  if (cause instanceof OutboundRefusedError || cause instanceof OutboundFailedError) {
    return cause;
  }
  const reason = timeout ?? errorCodeOf(cause) ?? 'the connection failed';
  return new OutboundFailedError(`The request failed: ${reason}.`, { cause });
}

function errorCodeOf(cause: unknown): string | null {
  return typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string'
    ? cause.code
    : null;
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}
