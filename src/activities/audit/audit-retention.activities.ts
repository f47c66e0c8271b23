import type { AuditRetentionActivities } from '../../workflows/audit/audit-retention.contract.ts';
import type { ActivityDeps } from '../deps.ts';

/** The activity of the audit retention workflow of earlier releases, for runs that are still under way. */
export function createAuditRetentionActivities({ log }: Pick<ActivityDeps, 'log'>): AuditRetentionActivities {
  return {
    async dropAuditSegments() {
      log.warn('the worker drops no audit segments any more: run "npm run retention", see docs/audit.md');
      return { dropped: 0, failed: [], next_after: null };
    },
  };
}
