import type { ActorRef } from '../../domain/shared/actor.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import { configBatchStartOptions, configBatchWorkflowType } from '../../workflows/config/config-rollout.contract.ts';
import type { ConfigBatchInput } from '../../workflows/config/config-rollout.contract.ts';
import { approvedBatches } from './config-deployment.queries.ts';

/** Starts the workflow of a batch; one that runs already is left alone. @returns whether this call started it. */
export async function startConfigBatch(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  input: ConfigBatchInput,
): Promise<boolean> {
  return startOnce(temporal, configBatchWorkflowType, configBatchStartOptions(input));
}

/**
 * {@link startConfigBatch} for a caller whose deployments are committed and will happen whether or not this arrives: a
 * failure is logged only, because the sweep starts every batch without a workflow.
 */
export async function tryStartConfigBatch(
  { temporal, log }: Pick<ProcessDeps, 'temporal' | 'log'>,
  input: ConfigBatchInput,
): Promise<void> {
  try {
    await startConfigBatch({ temporal }, input);
  } catch (error) {
    log.warn({ err: error, batch_id: input.batch_id }, 'a rollout could not be started; the sweep will');
  }
}

/** Starts what an approval has just let roll out. A repetition starts nothing more. */
export async function startApprovedRollouts(
  { db, temporal }: Pick<ProcessDeps, 'db' | 'temporal'>,
  actor: ActorRef,
  approvalId: string,
): Promise<void> {
  for (const batch_id of await approvedBatches(db, actor, approvalId)) await startConfigBatch({ temporal }, { actor, batch_id });
}
