import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import { configBatchStartOptions, configBatchWorkflowType } from '../../workflows/config/config-rollout.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/**
 * Starts the workflow of deployments that have just been written down. They are committed and will happen whether or not
 * this arrives: while Temporal is away the sweep makes up for it, so nobody is refused for it.
 */
export async function startRollouts(
  { temporal, log }: Pick<ProcessDeps, 'temporal' | 'log'>,
  actor: Actor,
  batchId: string,
): Promise<void> {
  const input = { actor: actorRef(actor), batch_id: batchId };
  try {
    await startOnce(temporal, configBatchWorkflowType, configBatchStartOptions(input));
  } catch (error) {
    log.warn({ err: error, batch_id: batchId }, 'a rollout could not be started; the sweep will');
  }
}
