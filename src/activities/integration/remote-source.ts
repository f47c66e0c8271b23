import { ApplicationFailure } from '@temporalio/common';
import { isTransient } from '../../domain/integration/integration.ts';
import type { RemoteFault } from '../../domain/integration/integration.ts';
import type { RemotePage } from '../../domain/integration/integration-records.ts';
import { OutboundFailedError, OutboundRefusedError } from '../../platform/outbound/outbound-http.ts';

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

/** A remote system, used with one secret. All methods throw {@link RemoteError}. */
export interface RemoteSource {
  /** Makes one live call; `refused` when the secret is not accepted. */
  probe(): Promise<void>;
  /** Fetches the page at a cursor, or the first one. */
  pull(cursor: string | null): Promise<RemotePage>;
}

/** A remote service that issues keys. All methods throw {@link RemoteError}. */
export interface KeyService extends RemoteSource {
  /** Creates a key; the same `idempotencyKey` gives the same key again. */
  createKey(idempotencyKey: string): Promise<{ key_id: string; secret: string }>;
  /** Revokes a key; one that does not exist any more counts as revoked. */
  revokeKey(keyId: string): Promise<void>;
}

/** The fault behind an error of the outbound client, also where a library has wrapped it; null for anything else. */
export function outboundFault(error: unknown): RemoteError | null {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (cause instanceof RemoteError) return cause;
    if (cause instanceof OutboundRefusedError) return new RemoteError('address_refused', cause.message, { cause });
    if (cause instanceof OutboundFailedError) return new RemoteError('unreachable', cause.message, { cause });
  }
  return null;
}

/**
 * Runs an activity's work and turns a {@link RemoteError} into a failure whose type is the fault. Where the system said how
 * long to wait, the next attempt waits that long instead of by the retry policy.
 */
export async function withRemoteFaults<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    const { message, fault, retryAfterMs } = error;
    throw ApplicationFailure.create({
      message,
      type: fault,
      nonRetryable: !isTransient(fault),
      ...(retryAfterMs === null ? {} : { nextRetryDelay: retryAfterMs }),
    });
  }
}
