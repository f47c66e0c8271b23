import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { workflowTaskTimeout } from '../shared/task-timeout.ts';

/** Name under which the workflow is registered. */
export const queuePauseWorkflowType = 'queuePauseWorkflow';

/** Name of the search attribute by which a tenant's executions are found. */
export const tenantAttributeName = searchAttributes.tenantId.name;

/** One pause of one queue. */
export interface QueuePauseInput {
  /** Who pauses. */
  actor: ActorRef;
  queue_id: string;
  pause_id: string;
  reason: string;
  /** When the queue goes on by itself, milliseconds since the epoch. */
  paused_until: number;
  mfa_proof_id: string;
}

/** Which pause of which queue, and in whose name. */
export interface QueuePauseRef {
  actor: ActorRef;
  queue_id: string;
  pause_id: string;
}

/** Somebody ends the pause before its time. */
export interface ResumeMessage {
  actor: ActorRef;
  /** Id of the event that says so. */
  resume_id: string;
  reason: string | null;
  mfa_proof_id: string;
}

/** Where a pause is. */
export type QueuePausePhase = 'starting' | 'paused' | 'ending' | 'ended' | 'refused';

/** Answers when the engine has paused the queue, or with the reason why not. */
export const beginPauseUpdate = defineUpdate<void, [{ pause_id: string }]>('begin');
/** Answers when the queue runs again. */
export const resumeUpdate = defineUpdate<void, [ResumeMessage]>('resume');
export const pausePhaseQuery = defineQuery<QueuePausePhase>('phase');

/** The hands of the workflow; `src/activities/queue/queue.activities.ts`. Each may run twice. */
export interface QueuePauseActivities {
  /** Writes down that the queue is to be paused. */
  beginQueuePause(input: QueuePauseInput): Promise<void>;
  /** Pauses it in its engine and says so. */
  applyQueuePause(input: QueuePauseRef): Promise<void>;
  /** Takes the note back: the engine could not be reached. */
  abandonQueuePause(input: QueuePauseRef): Promise<void>;
  /** Writes down that somebody wants the queue to go on. */
  acceptQueueResume(input: ResumeMessage & { queue_id: string; pause_id: string }): Promise<void>;
  /** Lets the queue go on, in its engine and in its row; a pause that is over already is left alone. */
  endQueuePause(input: QueuePauseRef): Promise<void>;
}

/** Id of the workflow of a queue's pause: one living at a time. */
export function queuePauseWorkflowId(tenantId: string, queueId: string): string {
  return `queue-pause/${tenantId}/${queueId}`;
}

/** Everything but the task queue that a start needs. */
export function queuePauseStartOptions(input: QueuePauseInput) {
  return {
    workflowId: queuePauseWorkflowId(input.actor.tenant_id, input.queue_id),
    args: [input] as [QueuePauseInput],
    workflowTaskTimeout,
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: input.actor.tenant_id }]),
    staticSummary: `Pause of a queue until ${new Date(input.paused_until).toISOString()}`,
    staticDetails: `Queue \`${input.queue_id}\`; reason and author stand in \`admin_queues\`.`,
  };
}
