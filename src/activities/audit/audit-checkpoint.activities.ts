import { Context } from '@temporalio/activity';
import { dueChains } from '../../services/audit/audit-checkpoint.queries.ts';
import { signChain } from '../../services/audit/audit-chain-signing.service.ts';
import { signerOf } from '../../services/audit/audit-proof.service.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import type { AuditCheckpointActivities } from '../../workflows/audit/audit-checkpoint.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { withHeartbeat } from './audit-heartbeat.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log' | 'temporal'>;

/** Chains in one activity. */
const pageSize = 200;
/** Well within the workflow's heartbeat timeout. */
const heartbeatMs = 5_000;

/** The activity of the audit checkpoint workflow that signs chains. */
export function createAuditCheckpointActivities(deps: Deps): Pick<AuditCheckpointActivities, 'sealAuditChains'> {
  const tools = { ...deps, signer: signerOf(deps), notify: createNotify(deps) };
  return {
    async sealAuditChains(after) {
      const chains = await dueChains(deps.db, after, pageSize);
      const { cancellationSignal } = Context.current();
      const damaged: string[] = [];
      let failed = 0;
      await withHeartbeat(heartbeatMs, async () => {
        for (const { chain_id } of chains) {
          cancellationSignal.throwIfAborted();
          const outcome = await signChain(tools, chain_id);
          if (outcome === 'damaged') damaged.push(chain_id);
          if (outcome === 'failed') failed += 1;
        }
      });
      return {
        sealed: chains.length - damaged.length - failed,
        damaged,
        failed,
        next_after: chains.length < pageSize ? null : (chains.at(-1)?.chain_id ?? null),
      };
    },
  };
}
