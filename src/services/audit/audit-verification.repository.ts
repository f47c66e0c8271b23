import { sql } from 'kysely';
import type { ChainReport } from '../../domain/audit/audit-chain.ts';
import type { DecisionDifference, VerificationOutcome } from '../../domain/audit/audit-retention.ts';
import { systemActor } from '../../domain/shared/actor.ts';
import type { Database } from '../../platform/database/database.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** Differences that are recorded; the log has all. */
const maxDifferences = 100;

/** What a comparison of the audit log with the workflows' histories has found. */
export interface DecisionComparison {
  readonly compared: number;
  /** Workflows whose history Temporal does not keep any more, so that they cannot be compared. */
  readonly gone: number;
  readonly differences: readonly DecisionDifference[];
}

/** Nothing was compared: a verification on request, or of new rows only. */
export const notCompared: DecisionComparison = { compared: 0, gone: 0, differences: [] };

interface Verification {
  readonly report: ChainReport;
  readonly comparison: DecisionComparison;
  readonly outcome: VerificationOutcome;
  /** The workflow that asked for it; null when a person did. */
  readonly workflow_id: string | null;
  readonly duration_ms: number;
}

/** Records the outcome of a verification, with its audit entry. The newest one is what health shows of the audit. */
export async function recordVerification(tx: Tx, verification: Verification): Promise<void> {
  const { report, comparison, outcome } = verification;
  const { chain_id, state, size, first_bad_seq } = report;
  await tx.sql.insertInto('audit_verifications').values(verificationRow(verification)).execute();
  tx.audit({
    event: 'audit.verify',
    action: 'read',
    resource_type: 'audit_log',
    resource_id: chain_id,
    new_values: { outcome, state, size, first_bad_seq, decisions_compared: comparison.compared },
  });
}

/**
 * Records damage that was found while new rows were to be signed: health shows it at once. Found again every minute, it is
 * recorded once, for as long as no verification has found anything else.
 */
export async function recordDamage(db: Database, report: ChainReport): Promise<void> {
  const { chain_id, first_bad_seq } = report;
  await unitOfWork(db, systemActor(chain_id), async (tx) => {
    const { rows } = await sql<{ is_known: boolean }>`
      select v.state = 'damaged' and v.first_bad_seq = ${first_bad_seq} as is_known
      from audit_verifications v where v.chain_id = ${chain_id} order by v.verified_at desc, v.id desc limit 1`.execute(tx.sql);
    if (rows[0]?.is_known === true) return;
    await recordVerification(tx, {
      report,
      comparison: notCompared,
      outcome: 'damaged',
      workflow_id: null,
      duration_ms: 0,
    });
  });
}

function verificationRow({ report, comparison, outcome, workflow_id, duration_ms }: Verification) {
  const { chain_id, state, anchored_size, size, first_bad_seq, findings } = report;
  return {
    chain_id,
    size,
    outcome,
    state,
    anchored_size,
    first_bad_seq,
    findings: JSON.stringify(findings),
    decisions_compared: comparison.compared,
    histories_gone: comparison.gone,
    differences: JSON.stringify(comparison.differences.slice(0, maxDifferences)),
    duration_ms: Math.round(duration_ms),
    workflow_id,
  };
}
