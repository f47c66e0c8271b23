import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';

/** What a caller is told whose word could not be written down. */
export function databaseUnavailable(): ApplicationFailure {
  return ApplicationFailure.nonRetryable('The database is away. Try again shortly.', 'service.unavailable');
}

/** True for a database that did not answer in time or kept failing; false for what an activity said on purpose. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof TimeoutFailure || (cause instanceof ApplicationFailure && cause.nonRetryable !== true);
}
