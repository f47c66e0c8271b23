import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const auditCheckpointWorkflowType = 'auditCheckpointWorkflow';

/** Once a minute: what was written since then is what a thief of the database could cut off unseen. */
export const auditCheckpointSchedule: ScheduleContract = {
  scheduleId: 'audit-checkpoint',
  workflowType: auditCheckpointWorkflowType,
  everyMs: 60_000,
  // One run makes up for all that were missed.
  catchupWindowMs: 60_000,
  note: 'Verifies the new rows of every audit chain, signs its state and writes it outside the database.',
};

/** A page of chains that was worked through. */
export interface SealedPage {
  /** Chains whose newest checkpoint covers them and is outside the database. */
  sealed: number;
  /** Chains whose new rows do not verify; they were not signed, and people were told. */
  damaged: string[];
  /** Chains that could not be worked on this time, e.g. because the database was away. */
  failed: number;
  /** Where the next page begins; null after the last one. */
  next_after: string | null;
}

/** A page of chains whose newest checkpoint was handed to the witnesses. */
export interface WitnessedPage {
  /** Checkpoints handed over. */
  delivered: number;
  /** Those that a witness did not take; the next run tries with the newest one then. */
  failed: number;
  /** Where the next page begins; null after the last one. */
  next_after: string | null;
}

/** The hands of the workflow; `src/activities/audit/audit-checkpoint.activities.ts` and `audit-witness.activities.ts`. */
export interface AuditCheckpointActivities {
  /** Signs the chains that have grown and hands the notes outside, beginning behind the chain `after`. */
  sealAuditChains(after: string | null): Promise<SealedPage>;
  /** Hands the newest checkpoint of each chain to the witnesses that lack it, beginning behind the chain `after`. */
  deliverAuditCheckpoints(after: string | null): Promise<WitnessedPage>;
}

/** What a run has done. */
export interface AuditCheckpointResult {
  sealed: number;
  failed: number;
}
