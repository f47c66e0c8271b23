/** Name under which the workflow is registered. */
export const auditRetentionWorkflowType = 'auditRetentionWorkflow';

/** The input of a run. */
export interface AuditRetentionInput {
  /** Age in days that an earlier release dropped segments from. */
  readonly keep_days: number | null;
}

/** One page of chains. */
export interface RetentionPage {
  /** Segments dropped. */
  readonly dropped: number;
  /** Chains that failed. */
  readonly failed: string[];
  /** Where the next page begins; null after the last one. */
  readonly next_after: string | null;
}

/** The activity of the workflow; `src/activities/audit/audit-retention.activities.ts`. */
export interface AuditRetentionActivities {
  /** Drops nothing any more: retention is a process of its own, with a database role of its own. */
  dropAuditSegments(input: AuditRetentionInput & { readonly after: string | null }): Promise<RetentionPage>;
}

/** The result of a run. */
export interface AuditRetentionResult {
  readonly dropped: number;
}
