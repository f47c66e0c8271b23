import { Context } from '@temporalio/activity';
import { createCheckpointSigner } from '../../services/audit/signed-note.ts';
import { dropSegment, nextSegment } from '../../services/audit/audit-retention.service.ts';
import { parseKeyList } from '../../platform/security/keyring.ts';
import type { AuditRetentionActivities } from '../../workflows/audit/audit-retention.contract.ts';
import { chainsAfter } from './audit-chains.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log'>;

/** Chains in one activity. */
const pageSize = 50;
const dayMs = 24 * 3_600_000;
/** Well within the workflow's heartbeat timeout. */
const heartbeatMs = 3_000;

/** The hands of the audit retention workflow. */
export function createAuditRetentionActivities({ db, env, log }: Deps): AuditRetentionActivities {
  const signer = createCheckpointSigner(parseKeyList(env.AUDIT_SIGNING_KEYS, 'AUDIT_SIGNING_KEYS'));

  const dropAllDue = async (chainId: string, folder: string, before: Date, signal: AbortSignal): Promise<number> => {
    let dropped = 0;
    for (;;) {
      signal.throwIfAborted();
      const plan = await nextSegment(db, chainId, before);
      if (plan === null) return dropped;
      const segment = await dropSegment({ db, signer, folder }, plan, before);
      log.info({ ...segment }, 'an audit segment was archived and dropped');
      dropped += 1;
    }
  };

  return {
    async dropAuditSegments({ keep_days, after }) {
      const days = keep_days ?? env.AUDIT_RETENTION_DAYS;
      const folder = env.AUDIT_ARCHIVE_DIR;
      if (days === undefined || folder === undefined) return { dropped: 0, failed: [], next_after: null };
      const before = new Date(Date.now() - days * dayMs);
      const chains = await chainsAfter({ db }, after, pageSize);
      const { heartbeat, cancellationSignal } = Context.current();
      const beat = setInterval(heartbeat, heartbeatMs);
      const failed: string[] = [];
      let dropped = 0;
      try {
        for (const chainId of chains) {
          try {
            dropped += await dropAllDue(chainId, folder, before, cancellationSignal);
          } catch (error) {
            cancellationSignal.throwIfAborted();
            log.error({ err: error, chain_id: chainId }, 'an audit chain could not be archived');
            failed.push(chainId);
          }
        }
      } finally {
        clearInterval(beat);
      }
      return { dropped, failed, next_after: chains.length < pageSize ? null : (chains.at(-1) ?? null) };
    },
  };
}
