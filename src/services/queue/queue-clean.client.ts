import type { ActorRef } from '../../domain/shared/actor.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import { queueCleanStartOptions, queueCleanWorkflowType } from '../../workflows/queue/queue-clean.contract.ts';
import type { QueueCleanInput } from '../../workflows/queue/queue-clean.contract.ts';
import { approvedCleanings } from './queue.queries.ts';

/** Starts the workflow of a cleaning that is decided; one that was started before is left alone. */
export async function startClean({ temporal }: Pick<ProcessDeps, 'temporal'>, input: QueueCleanInput): Promise<void> {
  await startOnce(temporal, queueCleanWorkflowType, queueCleanStartOptions(input));
}

/**
 * Starts the cleanings that an approved `queue.clean` has decided. Called after the execution of every approval request,
 * and again when the execution is repeated: the events of the request say whether there is something to start, and the
 * event's id in the workflow's id keeps each from starting twice.
 */
export async function startApprovedCleanings(
  { db, temporal }: Pick<ProcessDeps, 'db' | 'temporal'>,
  actor: ActorRef,
  approvalId: string,
): Promise<void> {
  for (const { id: event_id, queue_id } of await approvedCleanings(db, actor, approvalId)) {
    await startClean({ temporal }, { actor, queue_id, event_id });
  }
}
