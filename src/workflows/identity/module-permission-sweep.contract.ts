import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const modulePermissionSweepWorkflowType = 'modulePermissionSweepWorkflow';

/** Tells and records the ends of module permissions (S4-25). What may be done is judged at its time, whenever this runs. */
export const modulePermissionSweepSchedule: ScheduleContract = {
  scheduleId: 'module-permission-sweep',
  workflowType: modulePermissionSweepWorkflowType,
  everyMs: 5 * 60_000,
  // The next run finds what a missed one would have found.
  catchupWindowMs: 60_000,
  note: 'Gives notice of module permissions that are about to expire, and records those that have.',
};

/** What a sweep did. */
export interface ModulePermissionSweepResult {
  /** Permissions whose people were told that they end soon. */
  noticed: number;
  /** Permissions whose expiry was recorded. */
  expired: number;
}

/** A page of a sweep. */
export interface ModulePermissionSweepPage extends ModulePermissionSweepResult {
  has_more: boolean;
}

/** The activities of the workflow; `src/activities/identity/module-permission-sweep.activities.ts`. */
export interface ModulePermissionSweepActivities {
  sweepModulePermissions(): Promise<ModulePermissionSweepPage>;
}
