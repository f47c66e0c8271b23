import type { ChainState } from '../audit/audit-chain.ts';
import type { HealthStatus } from './health-status.ts';

/** What the newest verification of an audit chain has found. */
export interface AuditVerdict {
  /** Null when it is of a release that did not ask for an anchor. */
  readonly state: ChainState | null;
  readonly first_bad_seq: number | null;
  /** RFC 3339. */
  readonly verified_at: string;
}

/**
 * The state of the component `audit` as verifications have found it, so that damage shows at once and not with the next
 * measurement: `down` while a chain is damaged, `degraded` while nothing outside the database anchors one. Undefined when
 * they have found nothing to say.
 */
export function auditState(verdicts: readonly AuditVerdict[]): { status: HealthStatus; reason: string | null } | undefined {
  const damaged = verdicts.find(({ state }) => state === 'damaged');
  if (damaged !== undefined) {
    const { first_bad_seq, verified_at } = damaged;
    return {
      status: 'down',
      reason: `The audit log does not verify from entry ${first_bad_seq ?? 1} on, found at ${verified_at}. Runbook: audit-mismatch.`,
    };
  }
  if (verdicts.some(({ state }) => state === 'unanchored')) {
    return {
      status: 'degraded',
      reason: 'The audit log is consistent, but no checkpoint from outside the database covers it. See docs/audit.md.',
    };
  }
  return undefined;
}
