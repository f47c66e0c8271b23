import { Context } from '@temporalio/activity';
import { chainsAfter } from '../../services/audit/audit-chain.queries.ts';
import { dropDueSegments } from '../../services/audit/audit-retention.service.ts';
import { signerOf } from '../../services/audit/audit-proof.service.ts';
import type { AuditRetentionActivities } from '../../workflows/audit/audit-retention.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { withHeartbeat } from './audit-heartbeat.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log'>;

/** Chains in one activity. */
const pageSize = 50;
const dayMs = 24 * 3_600_000;
/** Well within the workflow's heartbeat timeout. */
const heartbeatMs = 3_000;

/** The activities of the audit retention workflow. */
export function createAuditRetentionActivities({ db, env, log }: Deps): AuditRetentionActivities {
  const signer = signerOf({ env });
  return {
    async dropAuditSegments({ keep_days, after }) {
      const days = keep_days ?? env.AUDIT_RETENTION_DAYS;
      const folder = env.AUDIT_ARCHIVE_DIR;
      if (days === undefined || folder === undefined) return { dropped: 0, failed: [], next_after: null };
      const before = new Date(Date.now() - days * dayMs);
      const chains = await chainsAfter(db, after, pageSize);
      const { cancellationSignal } = Context.current();
      const failed: string[] = [];
      let dropped = 0;
      await withHeartbeat(heartbeatMs, async () => {
        for (const chainId of chains) {
          try {
            dropped += await dropDueSegments({ db, log, signer, folder }, chainId, before, cancellationSignal);
          } catch (error) {
            cancellationSignal.throwIfAborted();
            log.error({ err: error, chain_id: chainId }, 'an audit chain could not be archived');
            failed.push(chainId);
          }
        }
      });
      return { dropped, failed, next_after: chains.length < pageSize ? null : (chains.at(-1) ?? null) };
    },
  };
}
