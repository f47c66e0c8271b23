import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startOnce } from '../../platform/temporal/start-once.ts';
import { configBatchStartOptions, configBatchWorkflowType } from '../../workflows/config/config-rollout.contract.ts';
import type { ConfigBatchInput } from '../../workflows/config/config-rollout.contract.ts';
import type { CommittedChange } from '../actions/action.ts';
import { isBatchPending } from './config-deployment.queries.ts';
import { batchIdOf } from './config-deployment.service.ts';

/** Starts the workflow of a batch; one that runs already is left alone. @returns whether this call started it. */
export async function startConfigBatch(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  input: ConfigBatchInput,
): Promise<boolean> {
  return startOnce(temporal, configBatchWorkflowType, configBatchStartOptions(input));
}

/**
 * Starts the rollouts that a committed `config.apply` or `config.rollback` has recorded. Where they may have been
 * started before, only those that have not begun: a batch that has ended must not run again.
 */
export async function startCommittedRollouts(
  { db, temporal }: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor, result, isRepetition }: CommittedChange,
): Promise<void> {
  const batch_id = batchIdOf(result);
  if (isRepetition && !(await isBatchPending(db, actor, batch_id))) return;
  await startConfigBatch({ temporal }, { actor, batch_id });
}
