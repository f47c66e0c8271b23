import { Context } from '@temporalio/activity';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { tenantOfChain } from '../../domain/audit/audit-entry.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import { chainsWithoutWitness, deliverToWitness, witnessesOf } from '../../services/audit/audit-witness.service.ts';
import type { WitnessDelivery } from '../../services/audit/audit-witness.service.ts';
import type { AuditCheckpointActivities } from '../../workflows/audit/audit-checkpoint.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log' | 'outbound' | 'temporal'>;

/** Chains in one activity. */
const pageSize = 100;
/** Well within the workflow's heartbeat timeout. */
const heartbeatMs = 5_000;
/** A witness that is away is not asked for every chain; the next run comes back to it. */
const maxFailuresInRow = 3;
/** Attempts with one checkpoint, a minute apart, after which people are told. */
const patience = 10;

/** Hands checkpoints to the witnesses outside; part of the checkpoint workflow. */
export function createAuditWitnessActivities(deps: Deps): Pick<AuditCheckpointActivities, 'deliverAuditCheckpoints'> {
  const { db, env, log } = deps;
  const witnesses = witnessesOf(env, deps.outbound);
  const notify = createNotify(deps);

  const report = async (delivery: WitnessDelivery): Promise<void> => {
    log.warn({ ...delivery }, 'a witness did not take a checkpoint');
    if (delivery.attempts !== patience) return;
    await notify(systemActor(tenantOfChain(delivery.chain_id) ?? defaultTenantId), noticeOf(delivery), []);
  };

  return {
    async deliverAuditCheckpoints(after) {
      const { heartbeat, cancellationSignal } = Context.current();
      const beat = setInterval(heartbeat, heartbeatMs);
      const ends: string[] = [];
      let [delivered, failed] = [0, 0];
      try {
        for (const witness of witnesses) {
          const chains = await chainsWithoutWitness(db, witness.kind, after, pageSize);
          let failedInRow = 0;
          for (const chainId of chains) {
            cancellationSignal.throwIfAborted();
            const delivery = await deliverToWitness(db, witness, chainId, cancellationSignal);
            if (delivery === null) continue;
            failedInRow = delivery.error === null ? 0 : failedInRow + 1;
            if (delivery.error === null) delivered += 1;
            else failed += 1;
            if (delivery.error !== null) await report(delivery);
            if (failedInRow === maxFailuresInRow) break;
          }
          if (chains.length === pageSize && failedInRow < maxFailuresInRow) ends.push(chains.at(-1) ?? '');
        }
      } finally {
        clearInterval(beat);
      }
      // The witness whose page ends first leads; what another one has got meanwhile is not due any more.
      return { delivered, failed, next_after: ends.toSorted().at(0) ?? null };
    },
  };
}

function noticeOf({ chain_id, witness, size, error, attempts }: WitnessDelivery): Notification {
  return {
    event: 'audit.witness-behind',
    event_key: `audit/${chain_id}/witness/${witness}/${size}`,
    subject: `The ${witness} witness has not taken an audit checkpoint for ${attempts} minutes`,
    text:
      `The checkpoint of ${size} entries of audit chain ${chain_id} was offered ${attempts} times. ` +
      `The last answer: ${error ?? 'none'}. Entries written since then could be cut off unseen.`,
    data: { chain_id, witness, size },
  };
}
