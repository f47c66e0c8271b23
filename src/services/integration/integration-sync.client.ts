import { setTimeout } from 'node:timers/promises';
import { WithStartWorkflowOperation } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor, ActorRef } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { ensureSchedules, removeSchedule } from '../../platform/temporal/schedules.ts';
import {
  cancelSyncUpdate,
  integrationSchedule,
  integrationScheduleId,
  integrationSyncStartOptions,
  integrationSyncWorkflowId,
  integrationSyncWorkflowType,
  syncCancelledSignal,
  syncDefaults,
  syncOpenedUpdate,
} from '../../workflows/integration/integration-sync.contract.ts';
import type { ScheduledSyncInput } from '../../workflows/integration/integration-sync.contract.ts';

type Deps = Pick<ProcessDeps, 'temporal'>;

/** A workflow that is closing keeps its id for a short while; the start is repeated until the id is free. */
const closingPauseMs = 100;
const closingAttempts = 10;

/**
 * Starts the sync of an integration, or joins the one that runs.
 *
 * @returns the id of the committed job.
 */
export async function startSync(
  { temporal }: Deps,
  actor: Actor,
  integrationId: string,
  { command_id, waits_until }: WorkflowCommand,
): Promise<string> {
  const trigger = 'manual' as const;
  const input = { actor: actorRef(actor), integration_id: integrationId, trigger, command_id, ...syncDefaults };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await temporal.call(
        (client) =>
          client.workflow.executeUpdateWithStart(syncOpenedUpdate, {
            startWorkflowOperation: new WithStartWorkflowOperation(integrationSyncWorkflowType, {
              ...integrationSyncStartOptions(input),
              taskQueue: temporal.taskQueue,
              workflowIdConflictPolicy: 'USE_EXISTING',
            }),
          }),
        waits_until,
      );
    } catch (error) {
      const isClosing = error instanceof Problem && error.code === 'integration.sync-ended';
      if (!isClosing || attempt === closingAttempts) throw error;
      await setTimeout(closingPauseMs);
    }
  }
}

/** One sync of an integration. */
export interface SyncJobRef {
  readonly integration_id: string;
  readonly job_id: string;
}

/** Stops a sync and waits until it has ended. @throws Problem `integration.sync-ended` when it has ended before. */
export async function cancelSync(
  { temporal }: Deps,
  actor: Actor,
  { integration_id, job_id }: SyncJobRef,
  { command_id, waits_until }: WorkflowCommand,
): Promise<void> {
  const handleOf = (client: Client) => client.workflow.getHandle(integrationSyncWorkflowId(actor.tenant_id, integration_id));
  const args: [{ job_id: string; command_id: string; actor: ActorRef }] = [{ job_id, command_id, actor: actorRef(actor) }];
  try {
    await temporal.call(
      (client) => handleOf(client).executeUpdate(cancelSyncUpdate, { args, updateId: command_id }),
      waits_until,
    );
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'resource.not-found') throw error;
    throw new Problem({ code: 'integration.sync-ended', detail: 'This sync has ended.', cause: error });
  }
}

/** Tells a sync that it was cancelled; twice is no harm. @throws Problem 404 when its workflow does not run. */
export function sendSyncCancelled({ temporal }: Deps, tenantId: string, { integration_id, job_id }: SyncJobRef): Promise<void> {
  const workflowId = integrationSyncWorkflowId(tenantId, integration_id);
  return temporal.call((client) => client.workflow.getHandle(workflowId).signal(syncCancelledSignal, { job_id }));
}

/**
 * Creates or updates the Schedule that starts the syncs of an integration, or removes it.
 *
 * @param everySeconds null removes the Schedule; one that is gone already is no error.
 */
export async function setSyncSchedule(
  { temporal }: Deps,
  input: ScheduledSyncInput,
  everySeconds: number | null,
): Promise<void> {
  if (everySeconds !== null) {
    await ensureSchedules(temporal.client, temporal.taskQueue, [integrationSchedule(input, everySeconds)]);
    return;
  }
  await removeSchedule(temporal.client, integrationScheduleId(input));
}
