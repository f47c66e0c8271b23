import type { VerificationOutcome } from '../../domain/audit/audit-retention.ts';
import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const auditVerificationWorkflowType = 'auditVerificationWorkflow';

/** Every six hours; the checkpoint workflow verifies new rows every minute, this one all of them. */
export const auditVerificationSchedule: ScheduleContract = {
  scheduleId: 'audit-verification',
  workflowType: auditVerificationWorkflowType,
  everyMs: 6 * 3_600_000,
  catchupWindowMs: 3_600_000,
  note: 'Recomputes every audit chain from its beginning and compares decisions with Temporal histories.',
};

/** The input of a run. */
export interface AuditVerificationInput {
  /** How far back decisions are compared, in milliseconds. */
  readonly compare_back_ms: number;
  /** Decisions younger than this are left to the next run: one side may still be writing them. Milliseconds. */
  readonly settle_ms: number;
}

/** Two days back, so that the next run makes up for one that was missed. */
export const defaultVerification: AuditVerificationInput = { compare_back_ms: 48 * 3_600_000, settle_ms: 120_000 };

/** One chain. */
export interface VerifiedChain {
  readonly chain_id: string;
  readonly outcome: VerificationOutcome;
}

/** The activities of the workflow; `src/activities/audit/audit-verification.activities.ts`. */
export interface AuditVerificationActivities {
  /** Ids of chains behind `after`, at most a page. */
  listAuditChains(after: string | null): Promise<{ chain_ids: string[]; next_after: string | null }>;
  /** Verifies one chain, records the outcome and notifies people of what is wrong. */
  verifyAuditChain(input: AuditVerificationInput & { readonly chain_id: string }): Promise<VerifiedChain>;
}

/** The result of a run. */
export interface AuditVerificationResult {
  readonly intact: number;
}
