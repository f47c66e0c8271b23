import type { Actor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { assertIntegrationExists } from './integration.queries.ts';
import { cancelSync, startSync } from './integration-sync.client.ts';
import { findSyncJob } from './integration-sync.queries.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

/**
 * Starts the sync of an integration, or joins the one that runs.
 *
 * @returns the id of its job.
 * @throws Problem 404, `integration.not-syncable`, or `service.unavailable` when Temporal is unavailable.
 */
export async function triggerSync(
  deps: Deps,
  actor: Actor,
  integrationId: string,
  command: WorkflowCommand,
): Promise<string> {
  await assertIntegrationExists(deps.db, actor, integrationId);
  return startSync(deps, actor, integrationId, command);
}

/**
 * Stops a sync and waits until it has ended; what it has written stays.
 *
 * @throws Problem 404, `integration.sync-ended`, or `service.unavailable` when Temporal is unavailable.
 */
export async function cancelSyncJob(
  deps: Deps,
  actor: Actor,
  sync: { readonly integration_id: string; readonly job_id: string },
  command: WorkflowCommand,
): Promise<void> {
  const { status } = await findSyncJob(deps.db, actor, sync.integration_id, sync.job_id);
  if (status !== 'running') {
    throw new Problem({ code: 'integration.sync-ended', detail: 'This sync has ended.', members: { status } });
  }
  await cancelSync(deps, actor, sync, command);
}
