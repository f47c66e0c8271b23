import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
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
  /** When the queue is resumed automatically, in milliseconds since the epoch. */
  paused_until: number;
  mfa_proof_id: string;
  /** The command to be carried out (ADR 23), which is the id of the pause, too; missing in the input of earlier releases. */
  command_id?: string;
}

/** Which pause of which queue, and the actor. */
export interface QueuePauseRef {
  actor: ActorRef;
  queue_id: string;
  pause_id: string;
  /** The command that is undone when the pause is withdrawn. */
  command_id?: string;
}

/** Somebody ends the pause before its time. */
export interface ResumeMessage {
  actor: ActorRef;
  /** Id of the event that records it. */
  resume_id: string;
  reason: string | null;
  mfa_proof_id: string;
  /** The command to be carried out (ADR 23), which is the id of the event, too. */
  command_id?: string;
}

/** The state of a pause. */
export type QueuePausePhase = 'starting' | 'paused' | 'ending' | 'ended' | 'refused';

/** Answers when the engine has paused the queue, or fails with the reason. */
export const beginPauseUpdate = defineUpdate<void, [{ pause_id: string }]>('begin');
/** Answers when the queue runs again. */
export const resumeUpdate = defineUpdate<void, [ResumeMessage]>('resume');
/** Somebody has ended this pause, and the update may have been lost after that was recorded. */
export const resumedSignal = defineSignal<[{ pause_id: string }]>('resumed');
export const pausePhaseQuery = defineQuery<QueuePausePhase>('phase');

/** The activities of the workflow; implemented in `src/activities/queue/queue.activities.ts`. All are idempotent. */
export interface QueuePauseActivities {
  /** Records that the queue is to be paused. */
  beginQueuePause(input: QueuePauseInput): Promise<void>;
  /** Pauses it in its engine and records that. */
  applyQueuePause(input: QueuePauseRef): Promise<void>;
  /**
   * Withdraws the record, because the engine could not be reached.
   *
   * @returns true when the pause is in force after all and stays: an attempt whose answer was lost has made it. In histories of
   *   earlier releases there is no answer, and it was withdrawn.
   */
  abandonQueuePause(input: QueuePauseRef): Promise<boolean>;
  /** Lets the queue run in its engine unless a pause is in force: one that was withdrawn may have reached the engine. */
  releaseQueue(input: QueuePauseRef): Promise<void>;
  /** Records that somebody wants the queue to be resumed. */
  acceptQueueResume(input: ResumeMessage & { queue_id: string; pause_id: string }): Promise<void>;
  /** Resumes the queue, in its engine and in its row; a pause that is over already is left alone. */
  endQueuePause(input: QueuePauseRef): Promise<void>;
}

/** Id of the workflow of a queue's pause: one runs at a time. */
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
    staticDetails: `Queue \`${input.queue_id}\`; reason and author are in \`admin_queues\`.`,
  };
}
