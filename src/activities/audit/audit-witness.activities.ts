import { Context } from '@temporalio/activity';
import {
  chainsWithoutWitness,
  deliverToWitness,
  reportFailedDelivery,
  witnessesOf,
} from '../../services/audit/audit-witness.service.ts';
import { signerOf } from '../../services/audit/audit-proof.service.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import type { AuditCheckpointActivities } from '../../workflows/audit/audit-checkpoint.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { withHeartbeat } from './audit-heartbeat.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log' | 'outbound' | 'temporal'>;

/** Chains in one activity. */
const pageSize = 100;
/** Well within the workflow's heartbeat timeout. */
const heartbeatMs = 5_000;
/** A witness that does not answer is not asked for every chain; the next run comes back to it. */
const maxFailuresInRow = 3;

/** The activity of the audit checkpoint workflow that delivers checkpoints to the witnesses. */
export function createAuditWitnessActivities(deps: Deps): Pick<AuditCheckpointActivities, 'deliverAuditCheckpoints'> {
  const { db, env, log } = deps;
  const witnesses = witnessesOf(env, deps.outbound);
  const signer = signerOf(deps);
  const notify = createNotify(deps);
  return {
    async deliverAuditCheckpoints(after) {
      const { cancellationSignal } = Context.current();
      const ends: string[] = [];
      let [delivered, failed] = [0, 0];
      await withHeartbeat(heartbeatMs, async () => {
        for (const witness of witnesses) {
          const chains = await chainsWithoutWitness(db, witness.kind, after, pageSize);
          let failedInRow = 0;
          for (const chainId of chains) {
            cancellationSignal.throwIfAborted();
            const delivery = await deliverToWitness(db, signer, witness, chainId, cancellationSignal);
            if (delivery === null) continue;
            failedInRow = delivery.error === null ? 0 : failedInRow + 1;
            if (delivery.error === null) delivered += 1;
            else failed += 1;
            if (delivery.error !== null) await reportFailedDelivery({ log, notify }, delivery);
            if (failedInRow === maxFailuresInRow) break;
          }
          if (chains.length === pageSize && failedInRow < maxFailuresInRow) ends.push(chains.at(-1) ?? '');
        }
      });
      // The next page begins where the first of these ends; what was delivered behind it is not due any more.
      return { delivered, failed, next_after: ends.toSorted().at(0) ?? null };
    },
  };
}
