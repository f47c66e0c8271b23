import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const auditRetentionWorkflowType = 'auditRetentionWorkflow';

/** Once a day: retention is counted in months and years. */
export const auditRetentionSchedule: ScheduleContract = {
  scheduleId: 'audit-retention',
  workflowType: auditRetentionWorkflowType,
  everyMs: 24 * 3_600_000,
  catchupWindowMs: 3_600_000,
  note: 'Archives audit segments that are older than AUDIT_RETENTION_DAYS and drops their rows.',
};

/** The input of a run. */
export interface AuditRetentionInput {
  /**
   * Age in days from which segments are dropped; null takes `AUDIT_RETENTION_DAYS`. Without both nothing is dropped.
   */
  readonly keep_days: number | null;
}

/** One page of chains. */
export interface RetentionPage {
  /** Segments dropped. */
  readonly dropped: number;
  /** Chains that failed; the next run tries them again. */
  readonly failed: string[];
  /** Where the next page begins; null after the last one. */
  readonly next_after: string | null;
}

/** The activity of the workflow; `src/activities/audit/audit-retention.activities.ts`. */
export interface AuditRetentionActivities {
  /** Archives and drops what is due in a page of chains behind the chain `after`. */
  dropAuditSegments(input: AuditRetentionInput & { readonly after: string | null }): Promise<RetentionPage>;
}

/** The result of a run. */
export interface AuditRetentionResult {
  readonly dropped: number;
}
