import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const auditCheckpointWorkflowType = 'auditCheckpointWorkflow';

/** Once a minute: what is written between two checkpoints could be removed from the database without a trace. */
export const auditCheckpointSchedule: ScheduleContract = {
  scheduleId: 'audit-checkpoint',
  workflowType: auditCheckpointWorkflowType,
  everyMs: 60_000,
  // One run makes up for all that were missed.
  catchupWindowMs: 60_000,
  note: 'Verifies the new rows of every audit chain, signs its state and writes it outside the database.',
};

/** The result for a page of chains. */
export interface SealedPage {
  /** Chains whose newest checkpoint covers them and is outside the database. */
  sealed: number;
  /** Chains whose new rows do not verify; they were not signed, and people were notified. */
  damaged: string[];
  /** Chains that failed this time, e.g. because the database was unavailable. */
  failed: number;
  /** Where the next page begins; null after the last one. */
  next_after: string | null;
}

/** The result of delivering the newest checkpoints of a page of chains to the witnesses. */
export interface WitnessedPage {
  /** Checkpoints delivered. */
  delivered: number;
  /** Those that a witness did not accept; the next run delivers the newest checkpoint then. */
  failed: number;
  /** Where the next page begins; null after the last one. */
  next_after: string | null;
}

/**
 * The activities of the workflow; `src/activities/audit/audit-checkpoint.activities.ts`, `audit-witness.activities.ts`.
 */
export interface AuditCheckpointActivities {
  /** Signs the chains that have grown and publishes the notes, beginning behind the chain `after`. */
  sealAuditChains(after: string | null): Promise<SealedPage>;
  /** Delivers the newest checkpoint of each chain to the witnesses that lack it, beginning behind the chain `after`. */
  deliverAuditCheckpoints(after: string | null): Promise<WitnessedPage>;
}

/** The result of a run. */
export interface AuditCheckpointResult {
  sealed: number;
  failed: number;
}
