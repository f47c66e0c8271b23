import { ActivityFailure, CancellationScope, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { QueueCleanActivities, QueueCleanInput } from './queue-clean.contract.ts';

const { cleanQueueBatch } = proxyActivities<QueueCleanActivities>({
  startToCloseTimeout: '15 seconds',
  scheduleToCloseTimeout: '1 day',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

const { failQueueClean } = proxyActivities<QueueCleanActivities>({
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/** Removes jobs from a queue, batch by batch. Id `queue-clean/<tenant>/<eventId>`. */
export async function queueCleanWorkflow(input: QueueCleanInput): Promise<void> {
  try {
    while (!(await cleanQueueBatch(input)));
  } catch (error) {
    if (!isCancellation(error) && !(error instanceof ActivityFailure)) throw error;
    await CancellationScope.nonCancellable(() => failQueueClean(input));
    throw error;
  }
}
