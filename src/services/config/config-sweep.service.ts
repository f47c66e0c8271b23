import type { ActorRef } from '../../domain/shared/actor.ts';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { read } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startConfigBatch } from './config-batch.client.ts';
import { dueBatchesQuery } from './config-deployment.queries.ts';

/** A batch that has not moved for this long is checked, in seconds. */
const quietSeconds = 120;
const maxBatches = 500;

/**
 * Starts the workflows of batches that have none: one whose start was lost, or whose workflow was terminated.
 *
 * @returns how many were started.
 */
export async function startDueBatches({ db, temporal }: Pick<ProcessDeps, 'db' | 'temporal'>): Promise<number> {
  const due = await read(db, systemActor(defaultTenantId), dueBatchesQuery(quietSeconds, maxBatches));
  let started = 0;
  for (const { tenant_id, batch_id, requested_by } of due) {
    const actor: ActorRef = { tenant_id, user_id: requested_by, session_id: null, request_id: null };
    if (await startConfigBatch({ temporal }, { actor, batch_id })) started += 1;
  }
  return started;
}
