import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { RetryBreaker } from '../../domain/queue/retry-breaker.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { workflowTaskTimeout } from '../shared/task-timeout.ts';

/** Name under which the workflow is registered. */
export const queueBulkRetryWorkflowType = 'queueBulkRetryWorkflow';

/** How long a bulk retry waits between two observations of the retried jobs, in milliseconds. */
export const defaultIntervalMs = 1_000;
/** How long it waits at its end for unsettled jobs, in milliseconds. */
export const defaultSettleMs = 60_000;

/** What is retried, how fast, and when it stops. */
export interface BulkRetryPlan extends RetryBreaker {
  error_classes: string[];
  cap: number;
  per_second: number;
}

/** A failed job with the time of the failure that is retried, so that it is not retried for a newer failure. */
export interface RetryTarget {
  job_id: string;
  failed_at: number;
}

/** The progress of a bulk retry. */
export interface BulkRetryCounts {
  selected: number;
  retried: number;
  /** Removed, or in another state by the time it was their turn. */
  skipped: number;
  completed: number;
  failed_again: number;
}

/** What a run passes to the next one (continue-as-new). */
export interface BulkRetryCarry {
  counts: BulkRetryCounts;
  targets: RetryTarget[];
  watched: string[];
}

/** One bulk retry of one queue. */
export interface QueueBulkRetryInput {
  actor: ActorRef;
  queue_id: string;
  /** Also the id of its event. */
  bulk_id: string;
  reason: string;
  plan: BulkRetryPlan;
  mfa_proof_id: string;
  /** The command to be carried out (ADR 23), which is the id of the event, too; missing in the input of earlier releases. */
  command_id?: string;
  interval_ms: number;
  settle_ms: number;
  carry: BulkRetryCarry | null;
}

/** Which bulk retry of which queue, and the actor. */
export interface BulkRetryRef {
  actor: ActorRef;
  queue_id: string;
  bulk_id: string;
}

/** How a bulk retry has ended; `stopped` by its breaker. */
export type BulkRetryEnd = 'done' | 'stopped' | 'cancelled' | 'failed';

/** Answers when the bulk retry is recorded. */
export const beginBulkRetryUpdate = defineUpdate<void, [{ bulk_id: string }]>('begin');
/**
 * Ends it after the jobs that are being retried; what has been retried stays retried. It names the bulk retry that is meant: by the
 * time it arrives the queue may have another one. Earlier releases, and people in Temporal Web, name none.
 */
export const cancelBulkRetrySignal = defineSignal<[message?: { bulk_id: string }]>('cancel');
export const bulkRetryProgressQuery = defineQuery<{ bulk_id: string; counts: BulkRetryCounts }>('progress');

/** The activities of the workflow; implemented in `src/activities/queue/queue-bulk-retry.activities.ts`. All are idempotent. */
export interface QueueBulkRetryActivities {
  beginBulkRetry(input: QueueBulkRetryInput): Promise<void>;
  /** Selects the failures that the plan covers, oldest first. */
  selectFailedJobs(input: BulkRetryRef & { plan: BulkRetryPlan }): Promise<RetryTarget[]>;
  /** Retries each job whose failure is still the selected one. @returns the ids to observe. */
  retryFailedJobs(input: BulkRetryRef & { targets: RetryTarget[] }): Promise<{
    watched: string[];
    skipped: number;
    /** Whether nothing was done, because the row says that the bulk retry is to end; missing in what earlier releases recorded. */
    is_cancelled?: boolean;
  }>;
  /** Tells which of the retried jobs are settled. */
  observeRetriedJobs(input: BulkRetryRef & { watched: string[] }): Promise<{ completed: string[]; failed: string[] }>;
  finishBulkRetry(input: BulkRetryRef & { end: BulkRetryEnd; counts: BulkRetryCounts }): Promise<void>;
}

/** Id of the workflow of a queue's bulk retry: one runs at a time. */
export function queueBulkRetryWorkflowId(tenantId: string, queueId: string): string {
  return `queue-bulk-retry/${tenantId}/${queueId}`;
}

/** Everything but the task queue that a start needs. */
export function queueBulkRetryStartOptions(input: QueueBulkRetryInput) {
  return {
    workflowId: queueBulkRetryWorkflowId(input.actor.tenant_id, input.queue_id),
    args: [input] as [QueueBulkRetryInput],
    workflowTaskTimeout,
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: input.actor.tenant_id }]),
    staticSummary: `Retry up to ${input.plan.cap} failed job(s)`,
    staticDetails: `Queue \`${input.queue_id}\`, bulk retry \`${input.bulk_id}\` of \`admin_queue_events\`.`,
  };
}
