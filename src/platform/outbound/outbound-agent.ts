import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, errors, request } from 'undici';
import type { Dispatcher } from 'undici';

/** The connections of an outbound client. */
export interface OutboundAgent {
  request(target: URL, options: Omit<Dispatcher.RequestOptions, 'origin' | 'path'>): Promise<Dispatcher.ResponseData>;
  /** Whether a request failed because its answer was longer than permitted. */
  isTooLarge(cause: unknown): boolean;
  close(): Promise<void>;
}

const connectTimeoutMs = 5_000;

/**
 * Opens connections whose addresses `lookupOf` decides.
 *
 * @param options.lookupOf the look-up for a scheme and port, which is empty for the scheme's own.
 * @param options.maxResponseBytes longest answer.
 */
export function createOutboundAgent({ lookupOf, maxResponseBytes }: {
  lookupOf: (target: { protocol: string; port: string }) => LookupFunction;
  maxResponseBytes: number;
}): OutboundAgent {
  const dispatcher = new Agent({
    connect(target, callback) {
      buildConnector({ timeout: connectTimeoutMs, lookup: lookupOf(target) })(target, callback);
    },
    // A connection is not reused for long, because the check of its address holds for the moment only.
    keepAliveTimeout: 1_000,
    keepAliveMaxTimeout: 1_000,
    maxHeaderSize: 16 * 1024,
    // Counted as received. Nothing is unpacked: an interceptor that did would let a small answer become a large one.
    maxResponseSize: maxResponseBytes,
  });
  return {
    request: (target, options) => request(target, { ...options, dispatcher }),
    isTooLarge: (cause) => cause instanceof errors.ResponseExceededMaxSizeError,
    close: () => dispatcher.close(),
  };
}
