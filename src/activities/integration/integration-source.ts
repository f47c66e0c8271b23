import { ApplicationFailure } from '@temporalio/common';
import { isPassing } from '../../domain/integration/integration.ts';
import type { RemoteFault } from '../../domain/integration/integration.ts';
import type { RemotePage } from '../../domain/integration/integration-records.ts';
import { OutboundFailedError, OutboundRefusedError } from '../../platform/outbound/outbound-http.ts';

/** A remote system could not be used. The message may be shown: it holds no secret and nothing that was answered. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
  readonly fault: RemoteFault;
  /** How long the system asked us to wait, in milliseconds; null when it did not say. */
  readonly retryAfterMs: number | null;

  constructor(fault: RemoteFault, message: string, options: ErrorOptions & { retryAfterMs?: number | null } = {}) {
    super(message, options);
    this.fault = fault;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** A remote system, reached with one secret. All throw {@link RemoteError}. */
export interface RemoteSource {
  /** Makes one live call; `refused` when the secret is not accepted. */
  probe(): Promise<void>;
  /** Fetches the page at a cursor, or the first one. */
  pull(cursor: string | null): Promise<RemotePage>;
}

/** A remote service that issues keys. All throw {@link RemoteError}. */
export interface KeyService extends RemoteSource {
  /** Makes a key; the same `idempotencyKey` gives the same key again. */
  createKey(idempotencyKey: string): Promise<{ key_id: string; secret: string }>;
  /** Revokes a key; one that is gone already counts as revoked. */
  revokeKey(keyId: string): Promise<void>;
}

/** The fault behind what the outbound door throws, also where a library has wrapped it; null for anything else. */
export function outboundFault(error: unknown): RemoteError | null {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (cause instanceof RemoteError) return cause;
    if (cause instanceof OutboundRefusedError) return new RemoteError('address_refused', cause.message, { cause });
    if (cause instanceof OutboundFailedError) return new RemoteError('unreachable', cause.message, { cause });
  }
  return null;
}

/**
 * Runs an activity's work; trouble with a remote system leaves as a failure whose type is the fault. Where the system said
 * when to come again, the next attempt waits for that instead of what the retry policy says.
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
      nonRetryable: !isPassing(fault),
      ...(retryAfterMs === null ? {} : { nextRetryDelay: retryAfterMs }),
    });
  }
}
