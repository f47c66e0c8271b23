import { TypedSearchAttributes } from '@temporalio/common';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { searchAttributes } from '../shared/search-attributes.ts';

/** Name under which the workflow is registered. */
export const queueCleanWorkflowType = 'queueCleanWorkflow';

/** A cleaning that was decided; its event holds what is removed. */
export interface QueueCleanInput {
  actor: ActorRef;
  queue_id: string;
  event_id: string;
}

/** The activities of the workflow; implemented in `src/activities/queue/queue.activities.ts`. All are idempotent. */
export interface QueueCleanActivities {
  /** Removes one batch of jobs. @returns whether it was the last one. */
  cleanQueueBatch(input: QueueCleanInput): Promise<boolean>;
  failQueueClean(input: QueueCleanInput): Promise<void>;
}

/** Id of a cleaning's workflow. */
export function queueCleanWorkflowId({ actor, event_id }: QueueCleanInput): string {
  return `queue-clean/${actor.tenant_id}/${event_id}`;
}

/** Everything but the task queue that a start needs. */
export function queueCleanStartOptions(input: QueueCleanInput) {
  return {
    workflowId: queueCleanWorkflowId(input),
    args: [input] as [QueueCleanInput],
    // A cleaning runs once, however often it is started.
    workflowIdReusePolicy: 'REJECT_DUPLICATE' as const,
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: input.actor.tenant_id }]),
    staticSummary: 'Clean a queue',
    staticDetails: `Queue \`${input.queue_id}\`; the result is in \`admin_queue_events\`.`,
  };
}
