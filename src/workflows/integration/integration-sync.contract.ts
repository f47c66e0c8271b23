import { TypedSearchAttributes } from '@temporalio/common';
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { SyncTrigger } from '../../domain/integration/integration.ts';
import type { SyncEnd, SyncFault, SyncJobView } from '../../domain/integration/integration-sync.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { workflowTaskTimeout } from '../shared/task-timeout.ts';

/** Names under which the workflows are registered. */
export const integrationSyncWorkflowType = 'integrationSyncWorkflow';
const scheduledSyncWorkflowType = 'scheduledSyncWorkflow';

/** What a sync starts with. The secret stays in the database. */
export interface IntegrationSyncInput {
  actor: ActorRef;
  integration_id: string;
  trigger: SyncTrigger;
  /** How long a worker may send no heartbeat before another one continues, in milliseconds. */
  heartbeat_timeout_ms: number;
  /** How often fetching is attempted while the remote system is unavailable. */
  max_attempts: number;
  /** The command to be carried out (ADR 23), which is the id of the job, too; missing for what a Schedule starts. */
  command_id?: string;
}

/** The defaults of a sync: another worker within six seconds; attempts over about two minutes. */
export const syncDefaults = { heartbeat_timeout_ms: 6_000, max_attempts: 8 } as const;

/** What an integration's Schedule starts. */
export interface ScheduledSyncInput {
  tenant_id: string;
  integration_id: string;
}

/** One sync, and the actor for whom it runs. */
export interface SyncRef {
  actor: ActorRef;
  integration_id: string;
  job_id: string;
}

/** The activities of the workflow; implemented in `src/activities/integration/integration-sync.activities.ts`. */
export interface IntegrationSyncActivities {
  openSync(input: SyncRef & { trigger: SyncTrigger; command_id?: string }): Promise<SyncJobView>;
  /** Records that somebody has asked for the end of a sync. */
  acceptSyncCancel(input: SyncRef & { command_id: string }): Promise<void>;
  /** Fetches and writes pages, continuing where the last call stopped, until the end or for a limited time. */
  pullRecords(input: SyncRef): Promise<{ page_count: number; is_finished: boolean }>;
  endSync(input: SyncRef & { end: SyncEnd }): Promise<SyncJobView>;
  announceSyncFailure(input: SyncRef & { error_code: SyncFault; error_detail: string }): Promise<void>;
}

/** How the workflow ended; `refused` when the integration cannot be fetched from. */
export interface IntegrationSyncResult {
  job_id: string;
  status: SyncJobView['status'] | 'refused';
}

/**
 * Answers with the id of the job as soon as it is committed. Sent with the start, so that a second caller joins the
 * running sync. A sync that is over refuses it with `integration.sync-ended`.
 */
export const syncOpenedUpdate = defineUpdate<string>('opened');
/** Stops the sync after the page that is being written; answers when it has ended. */
export const cancelSyncUpdate = defineUpdate<string, [{ job_id: string; command_id?: string; actor?: ActorRef }]>('cancel');
/** That somebody has cancelled a sync: stands in for an update that was lost after its command had been recorded. */
export const syncCancelledSignal = defineSignal<[{ job_id: string }]>('cancelled');

/** Id of the sync of an integration: one runs at a time. */
export function integrationSyncWorkflowId(tenantId: string, integrationId: string): string {
  return `sync/${tenantId}/${integrationId}`;
}

/** Everything but the task queue that a start needs. */
export function integrationSyncStartOptions(input: IntegrationSyncInput) {
  const { actor, integration_id, trigger } = input;
  return {
    workflowId: integrationSyncWorkflowId(actor.tenant_id, integration_id),
    args: [input] as [IntegrationSyncInput],
    workflowTaskTimeout,
    typedSearchAttributes: new TypedSearchAttributes([
      { key: searchAttributes.tenantId, value: actor.tenant_id },
      ...(actor.user_id === null ? [] : [{ key: searchAttributes.requestedBy, value: actor.user_id }]),
    ]),
    staticSummary: `Sync of integration ${integration_id} (${trigger})`,
    staticDetails: `Fetches the records of integration \`${integration_id}\`; its results are in \`admin_sync_jobs\`.`,
  };
}

/** Id of the Schedule that starts an integration's syncs. */
export function integrationScheduleId({ tenant_id, integration_id }: ScheduledSyncInput): string {
  return `sync/${tenant_id}/${integration_id}`;
}

/** The Schedule of an integration. Missed runs are not made up for: one sync fetches everything. */
export function integrationSchedule(input: ScheduledSyncInput, everySeconds: number) {
  const { tenant_id, integration_id } = input;
  return {
    scheduleId: integrationScheduleId(input),
    workflowType: scheduledSyncWorkflowType,
    everyMs: everySeconds * 1_000,
    catchupWindowMs: 60_000,
    note: `Fetches the records of integration ${integration_id} of tenant ${tenant_id}.`,
    args: [input] as [ScheduledSyncInput],
  };
}
