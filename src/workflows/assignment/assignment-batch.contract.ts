import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { searchAttributes } from '../shared/search-attributes.ts';

/** Name under which the workflow is registered. */
export const assignmentBatchWorkflowType = 'assignmentBatchWorkflow';

/** What a batch starts with. The contacts lie in `assignment_batch_items`. */
export interface AssignmentBatchInput {
  actor: ActorRef;
  batch_id: string;
  kind: 'bulk' | 'hand_over';
  total: number;
  /** What runs before this one have done, when it has continued as new. */
  settled: number;
  /** Campaigns in whose queue they have left contacts. */
  queued_campaign_ids: string[];
}

/** How far a batch is. */
export interface AssignmentBatchCounts {
  total: number;
  settled: number;
  is_cancelling: boolean;
}

export const batchProgressQuery = defineQuery<AssignmentBatchCounts>('progress');
/** Ends the batch after the chunk that is running; what is done stays. */
export const cancelBatchSignal = defineSignal('cancel');

/** One batch and in whose name it works. */
export interface BatchRef {
  actor: ActorRef;
  batch_id: string;
}

/** What a chunk has done. */
export interface BatchChunk {
  settled: number;
  is_finished: boolean;
  queued_campaign_ids: string[];
}

/** The hands of the workflow; `src/activities/assignment/assignment.activities.ts`. */
export interface AssignmentBatchActivities {
  runAssignmentBatchChunk(input: BatchRef): Promise<BatchChunk>;
  cancelAssignmentBatch(input: BatchRef): Promise<void>;
  /** Starts or wakes the workflows of queues. */
  wakeAssignmentQueues(input: { actor: ActorRef; campaign_ids: string[] }): Promise<void>;
}

/** Id of a batch's workflow. */
export function assignmentBatchWorkflowId(tenantId: string, batchId: string): string {
  return `assignment/${tenantId}/${batchId}`;
}

/** Everything but the task queue that a start needs. */
export function assignmentBatchStartOptions(input: AssignmentBatchInput) {
  const { actor, batch_id, kind, total } = input;
  const what = kind === 'bulk' ? 'Deal' : 'Hand over';
  return {
    workflowId: assignmentBatchWorkflowId(actor.tenant_id, batch_id),
    args: [input] as [AssignmentBatchInput],
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: actor.tenant_id }]),
    staticSummary: `${what} ${total} contact(s)`,
    staticDetails: `Assignment batch \`${batch_id}\`; what it has done stands in \`assignment_batch_items\`.`,
  };
}
