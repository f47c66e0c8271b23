import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const configSweepWorkflowType = 'configSweepWorkflow';

/** Starts the workflows of deployments that have none, for what was lost between commit and start. */
export const configSweepSchedule: ScheduleContract = {
  scheduleId: 'config-sweep',
  workflowType: configSweepWorkflowType,
  everyMs: 5 * 60_000,
  // What one run missed the next one finds.
  catchupWindowMs: 60_000,
  note: 'Starts the workflows of configuration rollouts that have none, after a crash or a termination.',
};

/** The activity of the workflow; `src/activities/config/config-rollout.activities.ts`. */
export interface ConfigSweepActivities {
  /** @returns how many workflows were started. */
  sweepRollouts(): Promise<number>;
}
