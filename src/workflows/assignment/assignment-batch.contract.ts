import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { searchAttributes } from '../shared/search-attributes.ts';

/** Name under which the workflow is registered. */
export const assignmentBatchWorkflowType = 'assignmentBatchWorkflow';

/** What a batch starts with. Its contacts are in `assignment_batch_items`. */
export interface AssignmentBatchInput {
  actor: ActorRef;
  batch_id: string;
  kind: 'bulk' | 'hand_over';
  total: number;
  /** Contacts that earlier runs have done, when the workflow has continued as new. */
  settled: number;
  /** Campaigns in whose queue earlier runs have put contacts. */
  queued_campaign_ids: string[];
}

/** How far a batch is. */
export interface AssignmentBatchCounts {
  total: number;
  settled: number;
  is_cancelling: boolean;
}

export const batchProgressQuery = defineQuery<AssignmentBatchCounts>('progress');
/** Ends the batch after the chunk that is running; what it has done stays. */
export const cancelBatchSignal = defineSignal('cancel');

/** A batch and the actor in whose name it works. */
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

/** The activities of the workflow; `src/activities/assignment/assignment.activities.ts`. */
export interface AssignmentBatchActivities {
  runAssignmentBatchChunk(input: BatchRef): Promise<BatchChunk>;
  cancelAssignmentBatch(input: BatchRef): Promise<void>;
  /** Wakes the workflows of queues, starting those that are not running. */
  wakeAssignmentQueues(input: { actor: ActorRef; campaign_ids: string[] }): Promise<void>;
}

/** Id of a batch's workflow. */
export function assignmentBatchWorkflowId(tenantId: string, batchId: string): string {
  return `assignment/${tenantId}/${batchId}`;
}

/** Everything but the task queue that a start needs. */
export function assignmentBatchStartOptions(input: AssignmentBatchInput) {
  const { actor, batch_id, kind, total } = input;
  const what = kind === 'bulk' ? 'Assign' : 'Reassign';
  return {
    workflowId: assignmentBatchWorkflowId(actor.tenant_id, batch_id),
    args: [input] as [AssignmentBatchInput],
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: actor.tenant_id }]),
    staticSummary: `${what} ${total} contact(s)`,
    staticDetails: `Assignment batch \`${batch_id}\`; its results are in \`assignment_batch_items\`.`,
  };
}
