/** A workflow that runs by the clock, through a Temporal Schedule (overlap: skip). */
export interface ScheduleContract {
  readonly scheduleId: string;
  readonly workflowType: string;
  /** How often it runs, in milliseconds. */
  readonly everyMs: number;
  /** How much of what was missed while Temporal was away is made up for, in milliseconds. */
  readonly catchupWindowMs: number;
  /** What operators read beside it in Temporal Web. */
  readonly note: string;
}
