import { setTimeout } from 'node:timers/promises';
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

/** Longest wait for the end of a sync that is being cancelled, and how often it is looked for. */
const endWithinMs = 10_000;
const lookEveryMs = 100;

/**
 * Waits until a cancelled sync has ended. A repetition needs it: the command is done as soon as the cancellation is recorded,
 * and the first request is answered later, when the sync has ended.
 *
 * @throws Problem `service.unavailable` when it does not end in time.
 */
export async function awaitSyncEnd(
  { db }: Pick<Deps, 'db'>,
  actor: Actor,
  { integration_id, job_id }: { readonly integration_id: string; readonly job_id: string },
): Promise<void> {
  const untilMs = Date.now() + endWithinMs;
  while ((await findSyncJob(db, actor, integration_id, job_id)).status === 'running') {
    if (Date.now() > untilMs) {
      throw new Problem({ code: 'service.unavailable', detail: 'The sync has not ended yet.', retryAfterSeconds: 5 });
    }
    await setTimeout(lookEveryMs);
  }
}
