import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
const focusSweepWorkflowType = 'focusSweepWorkflow';

/** Catches the focus sessions that their workflow did not end. */
export const focusSweepSchedule: ScheduleContract = {
  scheduleId: 'focus-sweep',
  workflowType: focusSweepWorkflowType,
  everyMs: 10 * 60_000,
  // A missed run needs no catching up: the next one finds the same rows.
  catchupWindowMs: 60_000,
  note: 'Ends focus sessions whose workflow was terminated, so that their people can start another one.',
};

/** Counts of a sweep, or of a page of it. */
export interface FocusSweepResult {
  /** Active sessions that were compared with their workflow. */
  checked: number;
  /** Sessions that were ended, because their workflow had ended without doing so. */
  ended: number;
}

/** Result of one page of sessions, in the order of their ids. */
export interface FocusSweepPage extends FocusSweepResult {
  /** Last id of the page, or null when it was the last one. */
  next: number | null;
}

/** Activities used by this workflow. */
export interface FocusSweepActivities {
  sweepFocusSessions(input: { after: number }): Promise<FocusSweepPage>;
}
