import { ApplicationFailure, proxyActivities, proxyLocalActivities, setCurrentDetails } from '@temporalio/workflow';
import { defaultVerification } from './audit-verification.contract.ts';
import type {
  AuditVerificationActivities,
  AuditVerificationInput,
  AuditVerificationResult,
  VerifiedChain,
} from './audit-verification.contract.ts';

const { listAuditChains } = proxyLocalActivities<Pick<AuditVerificationActivities, 'listAuditChains'>>({
  startToCloseTimeout: '10 seconds',
  retry: { maximumAttempts: 5 },
});

/** Some seconds for a million entries; hence the heartbeat. */
const { verifyAuditChain } = proxyActivities<Pick<AuditVerificationActivities, 'verifyAuditChain'>>({
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '5 seconds', maximumInterval: '5 minutes', maximumAttempts: 5 },
});

/**
 * Verifies every audit chain from its first row and compares the decisions in it with Temporal's histories of the same
 * requests. Started by the Schedule `audit-verification`; one chain after the other, because each keeps a processor
 * busy.
 *
 * A chain that does not verify fails the run, so that it stands out in Temporal Web, after all chains have been
 * verified.
 */
export async function auditVerificationWorkflow(
  input: AuditVerificationInput = defaultVerification,
): Promise<AuditVerificationResult> {
  const bad: VerifiedChain[] = [];
  let intact = 0;
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof listAuditChains>> = await listAuditChains(after);
    for (const chain_id of page.chain_ids) {
      const verified = await verifyAuditChain({ ...input, chain_id });
      if (verified.outcome === 'intact') intact += 1;
      else bad.push(verified);
      setCurrentDetails(`**${intact}** chains intact, ${bad.length} not.`);
    }
    after = page.next_after;
  } while (after !== null);
  if (bad.length > 0) {
    const list = bad.map(({ chain_id, outcome }) => `${chain_id} (${outcome})`).join(', ');
    throw ApplicationFailure.nonRetryable(`Audit chains that do not verify: ${list}`, 'audit.chain-damaged');
  }
  return { intact };
}
