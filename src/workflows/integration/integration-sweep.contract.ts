import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const integrationSweepWorkflowType = 'integrationSweepWorkflow';

/** Brings Schedules up to the rows, and starts rotations that were approved or whose workflow was lost. */
export const integrationSweepSchedule: ScheduleContract = {
  scheduleId: 'integration-sweep',
  workflowType: integrationSweepWorkflowType,
  everyMs: 60_000,
  // What one run missed the next one finds.
  catchupWindowMs: 30_000,
  note: 'Brings the Schedules of integrations up to their rows and starts key rotations that wait.',
};

/** What a sweep did. */
export interface IntegrationSweepResult {
  /** Integrations whose Schedule was created, changed or removed. */
  scheduled: number;
  /** Rotations whose workflow runs now. */
  rotating: number;
}

/** The hands of the workflow; `src/activities/integration/integration-sweep.activities.ts`. */
export interface IntegrationSweepActivities {
  sweepIntegrations(): Promise<IntegrationSweepResult>;
}
