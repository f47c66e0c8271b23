import { Context } from '@temporalio/activity';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { tenantOfChain } from '../../domain/audit/audit-entry.ts';
import { BrokenChainError, dueChains, takeCheckpoint } from '../../services/audit/audit-checkpoint.service.ts';
import { publishCheckpoints } from '../../services/audit/checkpoint-file.ts';
import { createCheckpointSigner } from '../../services/audit/signed-note.ts';
import { parseKeyList } from '../../platform/security/keyring.ts';
import type { AuditCheckpointActivities } from '../../workflows/audit/audit-checkpoint.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log' | 'temporal'>;

/** Chains in one activity. */
const pageSize = 200;
/** Well within the workflow's heartbeat timeout. */
const heartbeatMs = 5_000;

/** The hands of the audit checkpoint workflow. */
export function createAuditCheckpointActivities(deps: Deps): Pick<AuditCheckpointActivities, 'sealAuditChains'> {
  const { db, env, log } = deps;
  const signer = createCheckpointSigner(parseKeyList(env.AUDIT_SIGNING_KEYS, 'AUDIT_SIGNING_KEYS'));
  const notify = createNotify(deps);

  const seal = async (chainId: string): Promise<void> => {
    await takeCheckpoint(db, signer, chainId);
    if (env.AUDIT_CHECKPOINT_DIR !== undefined) await publishCheckpoints(db, env.AUDIT_CHECKPOINT_DIR, chainId);
  };

  const reportDamage = async ({ report }: BrokenChainError): Promise<void> => {
    const { chain_id, first_bad_seq, findings } = report;
    log.error({ chain_id, first_bad_seq, findings }, 'an audit chain does not verify');
    const actor = systemActor(tenantOfChain(chain_id) ?? defaultTenantId);
    const notice = {
      event: 'audit.chain-damaged' as const,
      event_key: `audit/${chain_id}/damaged/${first_bad_seq}`,
      subject: `The audit log does not verify from entry ${first_bad_seq} on`,
      text:
        `The entries of audit chain ${chain_id} from number ${first_bad_seq} on are not those that were written. ` +
        'No checkpoint is signed until this is looked into.',
      data: { chain_id, first_bad_seq },
    };
    await notify(actor, notice, []);
  };

  /** One chain must not keep the others from being signed; the next run comes back to it. */
  const attempt = async (chainId: string): Promise<'sealed' | 'damaged' | 'failed'> => {
    try {
      await seal(chainId);
      return 'sealed';
    } catch (error) {
      if (!(error instanceof BrokenChainError)) {
        log.warn({ err: error, chain_id: chainId }, 'an audit chain was not signed this time');
        return 'failed';
      }
      await reportDamage(error);
      return 'damaged';
    }
  };

  return {
    async sealAuditChains(after) {
      const chains = await dueChains(db, after, pageSize);
      const damaged: string[] = [];
      let failed = 0;
      const { heartbeat, cancellationSignal } = Context.current();
      const beat = setInterval(heartbeat, heartbeatMs);
      try {
        for (const { chain_id } of chains) {
          cancellationSignal.throwIfAborted();
          const outcome = await attempt(chain_id);
          if (outcome === 'damaged') damaged.push(chain_id);
          if (outcome === 'failed') failed += 1;
        }
      } finally {
        clearInterval(beat);
      }
      return {
        sealed: chains.length - damaged.length - failed,
        damaged,
        failed,
        next_after: chains.length < pageSize ? null : (chains.at(-1)?.chain_id ?? null),
      };
    },
  };
}
