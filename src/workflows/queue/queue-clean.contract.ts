import { TypedSearchAttributes } from '@temporalio/common';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { searchAttributes } from '../shared/search-attributes.ts';

/** Name under which the workflow is registered. */
export const queueCleanWorkflowType = 'queueCleanWorkflow';

/** A cleaning that was decided; what it takes away stands in its event. */
export interface QueueCleanInput {
  actor: ActorRef;
  queue_id: string;
  event_id: string;
}

/** The hands of the workflow; `src/activities/queue/queue.activities.ts`. Each may run twice. */
export interface QueueCleanActivities {
  /** Takes away one batch. @returns whether that was the last one. */
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
    // The event is cleaned for once, however often it is started.
    workflowIdReusePolicy: 'REJECT_DUPLICATE' as const,
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: input.actor.tenant_id }]),
    staticSummary: 'Clean a queue',
    staticDetails: `Queue \`${input.queue_id}\`; what is taken away stands in \`admin_queue_events\`.`,
  };
}
