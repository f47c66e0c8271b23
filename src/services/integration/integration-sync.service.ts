import type { SyncJobView } from '../../domain/integration/integration-sync.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { assertIntegrationExists } from './integration.queries.ts';
import { cancelSync, startSync } from './integration-sync.client.ts';
import { findSyncJob } from './integration-sync.queries.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

/**
 * Starts the sync of an integration, or joins the one that runs.
 *
 * @throws Problem 404, `integration.not-syncable`, or `service.unavailable` when Temporal is unavailable.
 */
export async function triggerSync(deps: Deps, actor: Actor, integrationId: string): Promise<SyncJobView> {
  await assertIntegrationExists(deps.db, actor, integrationId);
  const jobId = await startSync(deps, actor, integrationId);
  return findSyncJob(deps.db, actor, integrationId, jobId);
}

/**
 * Stops a sync and waits until it has ended; what it has written stays.
 *
 * @throws Problem 404, `integration.sync-ended`, or `service.unavailable` when Temporal is unavailable.
 */
export async function cancelSyncJob(
  deps: Deps,
  actor: Actor,
  integrationId: string,
  jobId: string,
): Promise<SyncJobView> {
  const { status } = await findSyncJob(deps.db, actor, integrationId, jobId);
  if (status !== 'running') {
    throw new Problem({ code: 'integration.sync-ended', detail: 'This sync has ended.', members: { status } });
  }
  await cancelSync(deps, actor, integrationId, jobId);
  return findSyncJob(deps.db, actor, integrationId, jobId);
}
