import type { RemoteFault } from '../../domain/integration/integration.ts';
import { OutboundFailedError, OutboundRefusedError, OutboundTooLargeError } from '../../platform/outbound/outbound-http.ts';

/** A remote system could not be used. The message may be shown: it contains no secret and no part of an answer. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
  readonly fault: RemoteFault;
  /** How long the system asked us to wait, in milliseconds; null when it did not. */
  readonly retryAfterMs: number | null;

  constructor(fault: RemoteFault, message: string, options: ErrorOptions & { retryAfterMs?: number | null } = {}) {
    super(message, options);
    this.fault = fault;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** The fault behind an error of the outbound client, also where a library has wrapped it; null for anything else. */
export function outboundFault(error: unknown): RemoteError | null {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (cause instanceof RemoteError) return cause;
    if (cause instanceof OutboundRefusedError) return new RemoteError('address_refused', cause.message, { cause });
    if (cause instanceof OutboundTooLargeError) return new RemoteError('too_large', cause.message, { cause });
    if (cause instanceof OutboundFailedError) return new RemoteError('unreachable', cause.message, { cause });
  }
  return null;
}
