import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';

/** The failure of an update whose command could not be stored. */
export function databaseUnavailable(): ApplicationFailure {
  return ApplicationFailure.nonRetryable('The database is unavailable. Try again shortly.', 'service.unavailable');
}

/** True when an activity timed out or kept failing; false for a failure that it threw as not retryable. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof TimeoutFailure || (cause instanceof ApplicationFailure && cause.nonRetryable !== true);
}
