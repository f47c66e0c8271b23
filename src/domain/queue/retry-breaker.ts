/** When a bulk retry stops itself. */
export interface RetryBreaker {
  /** The share of settled jobs that may fail again, 0 to 1. */
  readonly max_new_failure_ratio: number;
  /** How many jobs have to be settled before the share counts. */
  readonly min_samples: number;
}

/** The results of retried jobs. */
interface RetryOutcome {
  readonly completed: number;
  readonly failed_again: number;
}

/** The share of settled jobs that failed again; null while none is settled. */
export function newFailureRatio({ completed, failed_again }: RetryOutcome): number | null {
  const settled = completed + failed_again;
  return settled === 0 ? null : failed_again / settled;
}

/** Whether the breaker opens: with enough samples, and above the threshold rather than at it. */
export function isBreakerOpen(outcome: RetryOutcome, { max_new_failure_ratio, min_samples }: RetryBreaker): boolean {
  const ratio = newFailureRatio(outcome);
  return ratio !== null && outcome.completed + outcome.failed_again >= min_samples && ratio > max_new_failure_ratio;
}
