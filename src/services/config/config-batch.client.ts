import { query } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { TemporalClient } from '../../platform/temporal/temporal-client.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import { configBatchStartOptions, configBatchWorkflowType } from '../../workflows/config/config-rollout.contract.ts';
import type { ConfigBatchInput } from '../../workflows/config/config-rollout.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { CommittedChange } from '../actions/action.ts';
import { batchOf } from './config-deployment.service.ts';

/** Starts the workflow of a batch; one that runs already is left alone. @returns whether this call started it. */
export async function startConfigBatch(
  temporal: Pick<TemporalClient, 'call' | 'taskQueue'>,
  input: ConfigBatchInput,
): Promise<boolean> {
  return startOnce(temporal, configBatchWorkflowType, configBatchStartOptions(input));
}

/**
 * Starts the rollouts that a committed `config.apply` or `config.rollback` has written down. Where that may have happened
 * before, only those that nobody has begun: a batch that has ended must not run again.
 */
export async function startCommittedRollouts(
  { db, temporal }: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor, result, isRepetition }: CommittedChange,
): Promise<void> {
  const batch_id = batchOf(result);
  if (isRepetition) {
    const pending = query.selectFrom('admin_deployments').where('batch_id', '=', batch_id).where('status', '=', 'pending');
    const rows = await read(db, actor, pending.select('id').limit(1));
    if (rows.length === 0) return;
  }
  await startConfigBatch(temporal, { actor, batch_id });
}
