import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const assignmentSweepWorkflowType = 'assignmentSweepWorkflow';

/** The second net under batches, queues and hand-overs. */
export const assignmentSweepSchedule: ScheduleContract = {
  scheduleId: 'assignment-sweep',
  workflowType: assignmentSweepWorkflowType,
  everyMs: 5 * 60_000,
  // What one run missed the next one finds.
  catchupWindowMs: 60_000,
  note: 'Goes on with batches that nobody works on, wakes queues, and hands over the contacts of people who are closed.',
};

/** What a sweep did. */
export interface AssignmentSweepResult {
  /** Batches whose workflow was started anew. */
  restarted: number;
  /** Queues that were told to look. */
  woken: number;
  /** Hand-overs that were begun. */
  handed_over: number;
}

/** The hands of the workflow; `src/activities/assignment/assignment-sweep.activities.ts`. */
export interface AssignmentSweepActivities {
  sweepAssignments(): Promise<AssignmentSweepResult>;
}
