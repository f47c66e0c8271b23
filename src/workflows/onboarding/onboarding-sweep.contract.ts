import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const onboardingSweepWorkflowType = 'onboardingSweepWorkflow';

/** The second net under the timers of the links (S3-55). */
export const onboardingSweepSchedule: ScheduleContract = {
  scheduleId: 'onboarding-sweep',
  workflowType: onboardingSweepWorkflowType,
  everyMs: 15 * 60_000,
  // What one run missed the next one finds.
  catchupWindowMs: 60_000,
  note: 'Expires onboarding links whose time is over and tells workflows of links what they have missed.',
};

/** What a sweep did. */
export interface OnboardingSweepResult {
  expired: number;
  /** Workflows that were told to look at their link. */
  told: number;
}

/** The hands of the workflow; `src/activities/onboarding/onboarding.activities.ts`. */
export interface OnboardingSweepActivities {
  sweepOnboardingLinks(): Promise<OnboardingSweepResult>;
}
