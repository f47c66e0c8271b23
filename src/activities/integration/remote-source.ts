import { ApplicationFailure } from '@temporalio/common';
import { isTransient } from '../../domain/integration/integration.ts';
import type { RemotePage } from '../../domain/integration/integration-records.ts';
import { RemoteError } from './remote-fault.ts';

/** A remote system, used with one secret. All methods throw {@link RemoteError}. */
export interface RemoteSource {
  /** Fetches the page at a cursor, or the first one. */
  pull(cursor: string | null): Promise<RemotePage>;
}

/** A remote service that issues keys. All methods throw {@link RemoteError}. */
export interface KeyService extends RemoteSource {
  /** Makes one live call; `refused` when the secret is not accepted. */
  probe(): Promise<void>;
  /** Creates a key; the same `idempotencyKey` gives the same key again. */
  createKey(idempotencyKey: string): Promise<{ key_id: string; secret: string }>;
  /** Revokes a key; one that does not exist any more counts as revoked. */
  revokeKey(keyId: string): Promise<void>;
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
