import { ApplicationFailure, proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type {
  AuditRetentionActivities,
  AuditRetentionInput,
  AuditRetentionResult,
  RetentionPage,
} from './audit-retention.contract.ts';

/** A first run over years of rows takes long; hence the heartbeat. */
const { dropAuditSegments } = proxyActivities<AuditRetentionActivities>({
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '5 seconds', maximumInterval: '5 minutes', maximumAttempts: 10 },
});

/**
 * Archives audit segments past retention and drops their rows. Started by the Schedule `audit-retention`, one run at a
 * time. A worker that is killed in the middle leaves a segment either whole in the database or archived and recorded as
 * dropped; the retried activity finds which.
 *
 * A chain that cannot be archived fails the run, so that it stands out, after all others have been worked on.
 */
export async function auditRetentionWorkflow(
  input: AuditRetentionInput = { keep_days: null },
): Promise<AuditRetentionResult> {
  const failed: string[] = [];
  let dropped = 0;
  let after: string | null = null;
  do {
    const page: RetentionPage = await dropAuditSegments({ ...input, after });
    dropped += page.dropped;
    failed.push(...page.failed);
    after = page.next_after;
    setCurrentDetails(`**${dropped}** segments archived and dropped, ${failed.length} chains put off.`);
  } while (after !== null);
  if (failed.length > 0) {
    throw ApplicationFailure.nonRetryable(`Chains not archived: ${failed.join(', ')}`, 'audit.retention-failed');
  }
  return { dropped };
}
