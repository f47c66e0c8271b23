import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ParentClosePolicy,
  allHandlersFinished,
  condition,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  startChild,
  uuid4,
} from '@temporalio/workflow';
import { remoteFaults } from '../../domain/integration/integration.ts';
import type { SyncEnd, SyncJobView } from '../../domain/integration/integration-sync.ts';
import {
  cancelSyncUpdate,
  integrationSyncStartOptions,
  syncCancelledSignal,
  syncDefaults,
  syncOpenedUpdate,
} from './integration-sync.contract.ts';
import type {
  IntegrationSyncActivities,
  IntegrationSyncInput,
  IntegrationSyncResult,
  ScheduledSyncInput,
} from './integration-sync.contract.ts';

/** One short transaction each, retried until it is done. */
const background = proxyLocalActivities<Pick<IntegrationSyncActivities, 'openSync' | 'acceptSyncCancel' | 'endSync'>>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '5 seconds' },
});

/** A sync ends whether or not its notification could be sent. */
const notification = proxyActivities<Pick<IntegrationSyncActivities, 'announceSyncFailure'>>({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '20 seconds',
  retry: { initialInterval: '2 seconds' },
});

/**
 * Fetches the records of one integration (S2-19). Id `sync/<tenant>/<integrationId>`: whoever asks for a sync while one
 * runs joins it.
 *
 * Each page is committed together with the cursor of the next one, so a sync continues where the last worker stopped, and
 * no page is counted twice.
 */
export async function integrationSyncWorkflow(input: IntegrationSyncInput): Promise<IntegrationSyncResult> {
  const { actor, integration_id, trigger, heartbeat_timeout_ms, max_attempts, command_id } = input;
  const ref = { actor, integration_id, job_id: command_id ?? uuid4() };
  const { pullRecords } = proxyActivities<Pick<IntegrationSyncActivities, 'pullRecords'>>({
    startToCloseTimeout: '5 minutes',
    heartbeatTimeout: heartbeat_timeout_ms,
    retry: { initialInterval: '1 second', maximumInterval: '1 minute', maximumAttempts: max_attempts },
  });
  const pulling = new CancellationScope();
  let opened: SyncJobView | undefined;
  let isEnded = false;
  let refused: unknown;

  setHandler(syncOpenedUpdate, async () => {
    await condition(() => opened !== undefined || refused !== undefined);
    if (opened === undefined) throw refused;
    // A sync that is over is not joined: the caller starts the next one as soon as this workflow has closed.
    if (isEnded) throw ended();
    return opened.id;
  });
  setHandler(
    cancelSyncUpdate,
    async (message) => {
      if (message.command_id !== undefined) {
        const { command_id: accepted, actor: sender = actor } = message;
        await background.acceptSyncCancel({ ...ref, actor: sender, command_id: accepted });
      }
      pulling.cancel();
      await condition(() => isEnded);
      return ref.job_id;
    },
    {
      validator: ({ job_id }) => {
        if (job_id !== ref.job_id || opened === undefined || isEnded) throw ended();
      },
    },
  );
  setHandler(syncCancelledSignal, ({ job_id }) => {
    if (job_id === ref.job_id) pulling.cancel();
  });

  try {
    opened = await background.openSync({ ...ref, trigger, ...(command_id === undefined ? {} : { command_id }) });
  } catch (error) {
    refused = error;
    await condition(allHandlersFinished);
    return { job_id: ref.job_id, status: 'refused' };
  }

  let end: SyncEnd = { status: 'succeeded' };
  try {
    await pulling.run(async () => {
      for (let isFinished = false; !isFinished; ) {
        const pulled = await pullRecords(ref);
        isFinished = pulled.is_finished;
        setCurrentDetails(`Job \`${ref.job_id}\`: ${pulled.page_count} page(s) written.`);
      }
    });
  } catch (error) {
    end = isCancellation(error) ? { status: 'cancelled' } : failureOf(error);
  }
  return CancellationScope.nonCancellable(async () => {
    if (end.status === 'failed') {
      const { error_code, error_detail } = end;
      await notification.announceSyncFailure({ ...ref, error_code, error_detail }).catch(() => undefined);
    }
    const { status } = await background.endSync({ ...ref, end });
    isEnded = true;
    await condition(allHandlersFinished);
    return { job_id: ref.job_id, status };
  });
}

/** Starts the scheduled sync of an integration, or joins the one that runs. Id: that of the Schedule with the time. */
export async function scheduledSyncWorkflow({ tenant_id, integration_id }: ScheduledSyncInput): Promise<'started' | 'joined'> {
  const actor = { tenant_id, user_id: null, session_id: null, request_id: null };
  const options = integrationSyncStartOptions({ actor, integration_id, trigger: 'schedule', ...syncDefaults });
  try {
    await startChild(integrationSyncWorkflow, { ...options, parentClosePolicy: ParentClosePolicy.ABANDON });
    return 'started';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'joined';
    throw error;
  }
}

function ended(): ApplicationFailure {
  return ApplicationFailure.nonRetryable('This sync has ended.', 'integration.sync-ended');
}

function failureOf(error: unknown): SyncEnd {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const fault = cause instanceof ApplicationFailure ? remoteFaults.find((one) => one === cause.type) : undefined;
  if (fault !== undefined && cause instanceof Error) {
    return { status: 'failed', error_code: fault, error_detail: cause.message };
  }
  // A fault of our own is described in the logs and in this workflow's history; the caller is not shown its details.
  return { status: 'failed', error_code: 'internal', error_detail: 'The sync could not be carried on.' };
}
