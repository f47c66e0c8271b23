import type { ActorRef } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { TemporalClient } from '../../platform/temporal/temporal-client.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import { configBatchStartOptions, configBatchWorkflowType } from '../../workflows/config/config-rollout.contract.ts';
import type { ConfigBatchInput } from '../../workflows/config/config-rollout.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** Starts the workflow of a batch; one that runs already is left alone. @returns whether this call started it. */
export async function startConfigBatch(
  temporal: Pick<TemporalClient, 'call' | 'taskQueue'>,
  input: ConfigBatchInput,
): Promise<boolean> {
  return startOnce(temporal, configBatchWorkflowType, configBatchStartOptions(input));
}

/** Starts what an approval has just let roll out. A repetition starts nothing more. */
export async function startApprovedRollouts(
  { db, temporal }: Pick<ProcessDeps, 'db' | 'temporal'>,
  actor: ActorRef,
  approvalId: string,
): Promise<void> {
  const batches = await read(
    db,
    actor,
    query
      .selectFrom('admin_deployments')
      .where('approval_id', '=', approvalId)
      .where('status', '=', 'pending')
      .select('batch_id')
      .distinct(),
  );
  for (const { batch_id } of batches) await startConfigBatch(temporal, { actor, batch_id });
}
