import {
  ActivityFailure,
  CancellationScope,
  continueAsNew,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { batchProgressQuery, cancelBatchSignal } from './assignment-batch.contract.ts';
import type {
  AssignmentBatchActivities,
  AssignmentBatchCounts,
  AssignmentBatchInput,
} from './assignment-batch.contract.ts';

/** A chunk is one transaction of at most a thousand contacts; it is retried until the database is available again. */
const background = proxyLocalActivities<
  Pick<AssignmentBatchActivities, 'runAssignmentBatchChunk' | 'cancelAssignmentBatch'>
>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
});

/** Calls Temporal itself, so it is a regular activity. */
const notification = proxyActivities<Pick<AssignmentBatchActivities, 'wakeAssignmentQueues'>>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/**
 * Assigns or reassigns many contacts, chunk by chunk (S3-39). Id `assignment/<tenant>/<batch id>`. The position up to which
 * the batch is done is saved in the transaction of the chunk, so a chunk that is repeated does nothing twice.
 *
 * @returns how much of the batch was done.
 */
export async function assignmentBatchWorkflow(input: AssignmentBatchInput): Promise<AssignmentBatchCounts> {
  const { actor, batch_id, total } = input;
  const counts = { total, settled: input.settled, is_cancelling: false };
  const queued = new Set(input.queued_campaign_ids);
  setHandler(batchProgressQuery, () => counts);
  setHandler(cancelBatchSignal, () => {
    counts.is_cancelling = true;
  });

  try {
    for (let isFinished = false; !isFinished && !counts.is_cancelling; ) {
      const chunk = await background.runAssignmentBatchChunk({ actor, batch_id });
      counts.settled += chunk.settled;
      for (const campaignId of chunk.queued_campaign_ids) queued.add(campaignId);
      setCurrentDetails(`${counts.settled} of ${total} done`);
      isFinished = chunk.is_finished;
      if (!isFinished && !counts.is_cancelling && workflowInfo().continueAsNewSuggested) {
        await continueAsNew<typeof assignmentBatchWorkflow>({
          ...input,
          settled: counts.settled,
          queued_campaign_ids: [...queued],
        });
      }
    }
    if (counts.is_cancelling) await background.cancelAssignmentBatch({ actor, batch_id });
  } catch (error) {
    // Cancelled by an operator, or failed for good (its campaign was deleted): the row must not stay `running`.
    if (isCancellation(error) || error instanceof ActivityFailure) {
      await CancellationScope.nonCancellable(() => background.cancelAssignmentBatch({ actor, batch_id }));
    }
    throw error;
  }
  if (queued.size > 0) await notification.wakeAssignmentQueues({ actor, campaign_ids: [...queued] });
  return counts;
}
