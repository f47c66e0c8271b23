import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const approvalSweepWorkflowType = 'approvalSweepWorkflow';

/** The Schedule of the sweep, which finds what the workflows of approvals could not do. */
export const approvalSweepSchedule: ScheduleContract = {
  scheduleId: 'approval-sweep',
  workflowType: approvalSweepWorkflowType,
  everyMs: 10 * 60_000,
  // The next run finds what a missed one would have found.
  catchupWindowMs: 60_000,
  note: 'Closes requests whose workflow was terminated, and cancels those of deactivated users.',
};

/** The result of a sweep or of one page of it. */
export interface ApprovalSweepResult {
  /** Waiting requests that were compared with their workflow. */
  checked: number;
  /** Requests that were closed because their workflow had ended. */
  closed: number;
  /** Workflows that were cancelled because the requester is deactivated. */
  cancelled: number;
}

/** A page of requests, in the order of their ids. */
export interface ApprovalSweepPage extends ApprovalSweepResult {
  /** Last id of the page, or null when it was the last one. */
  next: string | null;
}

/** The activities of the workflow; `src/activities/approval/approval-sweep.activities.ts`. */
export interface ApprovalSweepActivities {
  sweepApprovals(input: { after: string | null }): Promise<ApprovalSweepPage>;
}
