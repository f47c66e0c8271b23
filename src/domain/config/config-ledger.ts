import type { JsonObject, JsonValue } from '../shared/canonical.ts';
import type { EnvironmentName } from '../shared/environment.ts';

/** What can happen to an environment, as the ledger calls it. */
export const ledgerEvents = [
  'started',
  'stage',
  'paused',
  'resumed',
  'held',
  'succeeded',
  'restored',
  'aborted',
  'undone',
] as const;

export type LedgerEvent = (typeof ledgerEvents)[number];

/** The facts of one row of the ledger: everything that its hash covers. */
export interface LedgerFacts {
  readonly environment: EnvironmentName;
  /** Counts from 1 in each environment, without gaps. */
  readonly seq: number;
  /** RFC 3339, to the millisecond. */
  readonly at: string;
  readonly event: LedgerEvent;
  readonly deployment_id: string;
  /** What was served from then on; null before the first configuration. */
  readonly stable_version: number | null;
  readonly stable_digest: string | null;
  readonly candidate_version: number | null;
  readonly candidate_digest: string | null;
  readonly candidate_percentage: number;
  /** The request that allowed it, and who approved it. */
  readonly approval_id: string | null;
  readonly approvers: readonly string[];
  /** Who gave the command; null for the rollout itself. */
  readonly actor_id: string | null;
  /** Measurements and verdicts behind the step. */
  readonly evidence: JsonObject;
}

/** A row as it is stored. */
export interface LedgerRow extends LedgerFacts {
  readonly prev_hash: string;
  readonly hash: string;
}

/** The `prev_hash` of the first row. */
export const ledgerGenesis = '0'.repeat(64);

/**
 * What is hashed: the row before and the facts of this one, in a version of the form (`form`) that is never changed.
 */
export function ledgerForm(tenantId: string, prevHash: string, facts: LedgerFacts): JsonValue {
  return {
    form: 1,
    tenant_id: tenantId,
    prev_hash: prevHash,
    environment: facts.environment,
    seq: facts.seq,
    // The database leaves trailing zeros out.
    at: new Date(facts.at).toISOString(),
    event: facts.event,
    deployment_id: facts.deployment_id,
    stable_version: facts.stable_version,
    stable_digest: facts.stable_digest,
    candidate_version: facts.candidate_version,
    candidate_digest: facts.candidate_digest,
    candidate_percentage: facts.candidate_percentage,
    approval_id: facts.approval_id,
    approvers: [...facts.approvers],
    actor_id: facts.actor_id,
    evidence: facts.evidence,
  };
}

/**
 * The sequence number of the first row that does not follow from the one before it, or null when all do. Rows that are
 * missing at the end are found by the head only, which is why it is needed.
 *
 * @param rows all rows of an environment, oldest first
 * @param digest SHA-256 of canonical JSON
 */
export function brokenLedgerRow(
  tenantId: string,
  rows: readonly LedgerRow[],
  head: { seq: number; hash: string },
  digest: (form: JsonValue) => string,
): number | null {
  let previous = { seq: 0, hash: ledgerGenesis };
  for (const row of rows) {
    const isNext = row.seq === previous.seq + 1 && row.prev_hash === previous.hash;
    if (!isNext || digest(ledgerForm(tenantId, previous.hash, row)) !== row.hash) return row.seq;
    previous = row;
  }
  return previous.seq === head.seq && previous.hash === head.hash ? null : previous.seq + 1;
}
