import { ApplicationFailure, patched, proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type {
  AuditCheckpointActivities,
  AuditCheckpointResult,
  SealedPage,
  WitnessedPage,
} from './audit-checkpoint.contract.ts';

/** A first checkpoint of a long chain takes seconds, and so does a page of many chains; hence the heartbeat. */
const { sealAuditChains, deliverAuditCheckpoints } = proxyActivities<AuditCheckpointActivities>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds', maximumAttempts: 5 },
});

/**
 * Signs the state of every audit chain that has grown and delivers it to the witnesses. Started by the Schedule
 * `audit-checkpoint`, one run at a time; nothing is lost when a run fails, because the next one finds the same chains.
 *
 * A damaged chain fails the run, so that it stands out in Temporal Web, after all other chains have been signed.
 */
export async function auditCheckpointWorkflow(): Promise<AuditCheckpointResult> {
  const damaged: string[] = [];
  let [sealed, failed] = [0, 0];
  let after: string | null = null;
  do {
    const page: SealedPage = await sealAuditChains(after);
    sealed += page.sealed;
    failed += page.failed;
    damaged.push(...page.damaged);
    after = page.next_after;
    setCurrentDetails(`**${sealed}** chains signed, ${failed} put off, ${damaged.length} damaged.`);
  } while (after !== null);
  if (patched('witnesses')) await deliverToWitnesses();
  if (damaged.length > 0) {
    throw ApplicationFailure.nonRetryable(`Damaged audit chains: ${damaged.join(', ')}`, 'audit.chain-damaged');
  }
  return { sealed, failed };
}

/** Damaged chains are delivered as well: the last good checkpoint proves the damage. */
async function deliverToWitnesses(): Promise<void> {
  let after: string | null = null;
  do {
    const page: WitnessedPage = await deliverAuditCheckpoints(after);
    after = page.next_after;
  } while (after !== null);
}
