import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { actorRef } from '../domain/actor.ts';
import type { Actor } from '../domain/actor.ts';
import { configBatchStartOptions, configBatchWorkflowType } from '../workflows/config-rollout.contract.ts';
import type { ApiDeps } from './deps.ts';

/**
 * Starts the workflow of deployments that have just been written down. They are committed and will happen whether or not
 * this arrives: while Temporal is away the sweep makes up for it, so nobody is refused for it.
 */
export async function startRollouts(
  { temporal, log }: Pick<ApiDeps, 'temporal' | 'log'>,
  actor: Actor,
  batchId: string,
): Promise<void> {
  const input = { actor: actorRef(actor), batch_id: batchId };
  try {
    await temporal.call(async (client) => {
      try {
        const { taskQueue } = temporal;
        await client.workflow.start(configBatchWorkflowType, { ...configBatchStartOptions(input), taskQueue });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
    });
  } catch (error) {
    log.warn({ err: error, batch_id: batchId }, 'a rollout could not be started; the sweep will');
  }
}
