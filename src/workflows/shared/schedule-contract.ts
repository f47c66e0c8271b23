/** A workflow that a Temporal Schedule starts regularly (overlap policy: skip). */
export interface ScheduleContract {
  readonly scheduleId: string;
  readonly workflowType: string;
  /** How often it runs, in milliseconds. */
  readonly everyMs: number;
  /** Runs missed while Temporal was unavailable are made up for within this time, in milliseconds. */
  readonly catchupWindowMs: number;
  /** A note for operators, shown in Temporal Web. */
  readonly note: string;
}
