import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const focusSweepWorkflowType = 'focusSweepWorkflow';

/** The second net under the timers of focus sessions. */
export const focusSweepSchedule: ScheduleContract = {
  scheduleId: 'focus-sweep',
  workflowType: focusSweepWorkflowType,
  everyMs: 10 * 60_000,
  // What one run missed the next one finds.
  catchupWindowMs: 60_000,
  note: 'Ends focus sessions whose workflow was terminated, so that their people can start another one.',
};

/** What a sweep, or a page of it, did. */
export interface FocusSweepResult {
  /** Active sessions that were compared with their workflow. */
  checked: number;
  /** Sessions that were ended, because their workflow had. */
  ended: number;
}

/** A page of sessions, in the order of their ids. */
export interface FocusSweepPage extends FocusSweepResult {
  /** Last id of the page, or null when it was the last one. */
  next: number | null;
}

/** The hands of the workflow; `src/activities/tracker/focus-session.activities.ts`. */
export interface FocusSweepActivities {
  sweepFocusSessions(input: { after: number }): Promise<FocusSweepPage>;
}
