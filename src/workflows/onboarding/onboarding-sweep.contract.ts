import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const onboardingSweepWorkflowType = 'onboardingSweepWorkflow';

/** Finds what the timers of links have missed (S3-55). */
export const onboardingSweepSchedule: ScheduleContract = {
  scheduleId: 'onboarding-sweep',
  workflowType: onboardingSweepWorkflowType,
  everyMs: 15 * 60_000,
  // A missed run is not made up for: the next one finds the same work.
  catchupWindowMs: 60_000,
  note: 'Expires onboarding links whose time is over and signals link workflows that missed a change.',
};

/** What a sweep did. */
export interface OnboardingSweepResult {
  expired: number;
  /** Links whose workflow was signalled. */
  told: number;
}

/** The activities of the workflow; `src/activities/onboarding/onboarding.activities.ts`. */
export interface OnboardingSweepActivities {
  sweepOnboardingLinks(): Promise<OnboardingSweepResult>;
}
