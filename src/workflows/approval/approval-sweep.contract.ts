import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const approvalSweepWorkflowType = 'approvalSweepWorkflow';

/** The second net under the workflows of approvals. */
export const approvalSweepSchedule: ScheduleContract = {
  scheduleId: 'approval-sweep',
  workflowType: approvalSweepWorkflowType,
  everyMs: 10 * 60_000,
  // What one run missed the next one finds.
  catchupWindowMs: 60_000,
  note: 'Closes requests whose workflow was terminated, and cancels those of people who have left.',
};

/** What a sweep, or a page of it, did. */
export interface ApprovalSweepResult {
  /** Waiting requests that were compared with their workflow. */
  checked: number;
  /** Requests that were closed, because their workflow had ended. */
  closed: number;
  /** Workflows that were asked to end, because the requester has left. */
  cancelled: number;
}

/** A page of requests, in the order of their ids. */
export interface ApprovalSweepPage extends ApprovalSweepResult {
  /** Last id of the page, or null when it was the last one. */
  next: string | null;
}

/** The hands of the workflow; `src/activities/approval/approval-sweep.activities.ts`. */
export interface ApprovalSweepActivities {
  sweepApprovals(input: { after: string | null }): Promise<ApprovalSweepPage>;
}
