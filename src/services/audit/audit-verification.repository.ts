import type { ChainReport } from '../../domain/audit/audit-chain.ts';
import type { DecisionDifference, VerificationOutcome } from '../../domain/audit/audit-retention.ts';
import { systemActor } from '../../domain/shared/actor.ts';
import type { Database } from '../../platform/database/database.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';

/** Differences that are recorded; the log has all. */
const maxDifferences = 100;

/** What a comparison of the audit log with the workflows' histories has found. */
export interface DecisionComparison {
  readonly compared: number;
  /** Workflows whose history Temporal does not keep any more, so that they cannot be compared. */
  readonly gone: number;
  readonly differences: readonly DecisionDifference[];
}

interface Verification {
  readonly report: ChainReport;
  readonly comparison: DecisionComparison;
  readonly outcome: VerificationOutcome;
  readonly workflow_id: string;
  readonly duration_ms: number;
}

/** Records the outcome of a verification, with its audit entry. */
export async function recordVerification(
  db: Database,
  { report, comparison, outcome, workflow_id, duration_ms }: Verification,
): Promise<void> {
  const { chain_id, size, first_bad_seq, findings } = report;
  await unitOfWork(db, systemActor(chain_id, { workflow_id }), async (tx) => {
    await tx.sql
      .insertInto('audit_verifications')
      .values({
        chain_id,
        size,
        outcome,
        first_bad_seq,
        findings: JSON.stringify(findings),
        decisions_compared: comparison.compared,
        histories_gone: comparison.gone,
        differences: JSON.stringify(comparison.differences.slice(0, maxDifferences)),
        duration_ms: Math.round(duration_ms),
        workflow_id,
      })
      .execute();
    tx.audit({
      event: 'audit.verify',
      action: 'read',
      resource_type: 'audit_log',
      resource_id: chain_id,
      new_values: { outcome, size, first_bad_seq, decisions_compared: comparison.compared },
    });
  });
}
