import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const housekeepingWorkflowType = 'housekeepingWorkflow';

/** Every ten minutes: often enough that a batch is small. */
export const housekeepingSchedule: ScheduleContract = {
  scheduleId: 'housekeeping',
  workflowType: housekeepingWorkflowType,
  everyMs: 10 * 60_000,
  // The next run finds what a missed one would have found.
  catchupWindowMs: 60_000,
  note: 'Removes expired data: stored responses, old challenges, used tokens, counters, development mail.',
};

/** Rows removed, by table. */
export type PurgeCounts = Record<string, number>;

/** The activities of the workflow; implemented in `src/activities/operations/housekeeping.activities.ts`. */
export interface HousekeepingActivities {
  /** Deletes one batch of expired rows of each kind. */
  purgeExpiredRows(): Promise<{ counts: PurgeCounts; full: boolean }>;
}
