import { setTimeout } from 'node:timers/promises';
import type { Actor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { assertIntegrationExists } from './integration.queries.ts';
import { forgetRefresh } from '../commands/workflow-start.repository.ts';
import { cancelSync, sendSyncCancelled, startSync } from './integration-sync.client.ts';
import type { SyncJobRef } from './integration-sync.client.ts';
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
  sync: SyncJobRef,
  command: WorkflowCommand,
): Promise<void> {
  const { status } = await findSyncJob(deps.db, actor, sync.integration_id, sync.job_id);
  if (status !== 'running') {
    throw new Problem({ code: 'integration.sync-ended', detail: 'This sync has ended.', members: { status } });
  }
  await cancelSync(deps, actor, sync, command);
  forgetRefresh(deps, actor.tenant_id, command.command_id);
}

/** Longest wait for the end of a sync that is being cancelled, and how often it is looked for. */
const endWithinMs = 10_000;
const lookEveryMs = 100;

/**
 * Waits until a cancelled sync has ended. A repetition needs it: the command is done as soon as the cancellation is recorded,
 * and the first request is answered later, when the sync has ended. The sync is told again: the update of the first request may
 * be lost.
 *
 * @throws Problem `service.unavailable` when it does not end in time.
 */
export async function awaitSyncEnd(
  deps: Deps,
  actor: Actor,
  sync: SyncJobRef,
): Promise<void> {
  const isRunning = async () => (await findSyncJob(deps.db, actor, sync.integration_id, sync.job_id)).status === 'running';
  if (!(await isRunning())) return;
  const untilMs = Date.now() + endWithinMs;
  // A worker tells it as well, and goes on until it has.
  await sendSyncCancelled(deps, actor.tenant_id, sync).catch(() => undefined);
  while (await isRunning()) {
    if (Date.now() > untilMs) {
      throw new Problem({ code: 'service.unavailable', detail: 'The sync has not ended yet.', retryAfterSeconds: 5 });
    }
    await setTimeout(lookEveryMs);
  }
}
