import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const assignmentSweepWorkflowType = 'assignmentSweepWorkflow';

/** Finds what batches, queues and reassignments have missed. */
export const assignmentSweepSchedule: ScheduleContract = {
  scheduleId: 'assignment-sweep',
  workflowType: assignmentSweepWorkflowType,
  everyMs: 5 * 60_000,
  // A missed run is not made up for: the next one finds the same work.
  catchupWindowMs: 60_000,
  note: 'Restarts lost batches, wakes queues, and reassigns the contacts of deactivated users.',
};

/** What a sweep did. */
export interface AssignmentSweepResult {
  /** Batches whose workflow was started anew. */
  restarted: number;
  /** Queues whose workflow was woken. */
  woken: number;
  /** Reassignments that were started. */
  handed_over: number;
}

/** The activities of the workflow; `src/activities/assignment/assignment-sweep.activities.ts`. */
export interface AssignmentSweepActivities {
  sweepAssignments(): Promise<AssignmentSweepResult>;
}
