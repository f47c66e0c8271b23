import { Context } from '@temporalio/activity';
import { chainsAfter } from '../../services/audit/audit-chain.queries.ts';
import { verifyAndCompareChain } from '../../services/audit/audit-verification.service.ts';
import { signerOf } from '../../services/audit/audit-proof.service.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import type { AuditVerificationActivities } from '../../workflows/audit/audit-verification.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { withHeartbeat } from './audit-heartbeat.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log' | 'temporal'>;

/** Chains in one answer to the workflow. */
const pageSize = 100;
/** Well within the workflow's heartbeat timeout. */
const heartbeatMs = 3_000;

/** The activities of the audit verification workflow. */
export function createAuditVerificationActivities(deps: Deps): AuditVerificationActivities {
  const tools = { ...deps, signer: signerOf(deps), notify: createNotify(deps) };
  return {
    async listAuditChains(after) {
      const chain_ids = await chainsAfter(deps.db, after, pageSize);
      return { chain_ids, next_after: chain_ids.length < pageSize ? null : (chain_ids.at(-1) ?? null) };
    },

    async verifyAuditChain({ chain_id, ...span }) {
      const { info, cancellationSignal: signal } = Context.current();
      const workflowId = info.workflowExecution?.workflowId ?? '';
      const outcome = await withHeartbeat(heartbeatMs, () =>
        verifyAndCompareChain(tools, chain_id, span, { workflowId, signal }),
      );
      return { chain_id, outcome };
    },
  };
}
