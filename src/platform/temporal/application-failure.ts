import { ApplicationFailure } from '@temporalio/common';
import { Problem } from '../problem.ts';

/**
 * Converts a problem into the failure that an activity throws: not retryable, with the problem's code as its type and its
 * members as the first detail. Other errors stay as they are, so that Temporal retries, but for a command that was given up:
 * it can never be carried out. `translateTemporalError` converts it back.
 */
function toApplicationFailure(error: unknown): unknown {
  if (!(error instanceof Problem) || (error.status >= 500 && error.code !== 'command.void')) return error;
  return ApplicationFailure.nonRetryable(error.message, error.code, error.members);
}

/** Runs an activity's work and converts its problems by {@link toApplicationFailure}. */
export async function asActivity<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw toApplicationFailure(error);
  }
}
