import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const integrationSweepWorkflowType = 'integrationSweepWorkflow';

/** Updates Schedules from the rows, and starts rotations that were approved or whose workflow was lost. */
export const integrationSweepSchedule: ScheduleContract = {
  scheduleId: 'integration-sweep',
  workflowType: integrationSweepWorkflowType,
  everyMs: 60_000,
  // The next run finds what a missed one would have found.
  catchupWindowMs: 30_000,
  note: 'Updates the Schedules of integrations from their rows and starts waiting key rotations.',
};

/** What a sweep has done. */
export interface IntegrationSweepResult {
  /** Integrations whose Schedule was created, changed or removed. */
  scheduled: number;
  /** Rotations whose workflow runs now. */
  rotating: number;
}

/** The activities of the workflow; implemented in `src/activities/integration/integration-sweep.activities.ts`. */
export interface IntegrationSweepActivities {
  sweepIntegrations(): Promise<IntegrationSweepResult>;
}
