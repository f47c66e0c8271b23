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
 * What the Schedule `audit-retention` of earlier releases started. The Schedule is gone, because the worker's database role
 * has no right to drop entries any more: `npm run retention` does it. The workflow stays as it was for runs that were under
 * way, which end with their next activity, and for the replay of older histories.
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
