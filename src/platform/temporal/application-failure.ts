import { ApplicationFailure } from '@temporalio/common';
import { Problem } from '../problem.ts';

/**
 * What an activity throws for a problem: a failure that is not tried again, whose type is the problem's code and whose
 * first detail holds its members. Other errors stay as they are, so that Temporal tries again. The way back is
 * `translateTemporalError`.
 */
export function toApplicationFailure(error: unknown): unknown {
  if (!(error instanceof Problem) || error.status >= 500) return error;
  return ApplicationFailure.nonRetryable(error.message, error.code, error.members);
}

/** Runs an activity's work and lets its problems leave as {@link toApplicationFailure} gives them. */
export async function asActivity<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw toApplicationFailure(error);
  }
}
