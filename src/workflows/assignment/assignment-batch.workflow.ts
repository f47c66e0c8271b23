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

/** A chunk is one transaction of some hundred rows; it is tried until the database is there again. */
const local = proxyLocalActivities<
  Pick<AssignmentBatchActivities, 'runAssignmentBatchChunk' | 'cancelAssignmentBatch'>
>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
});

/** Speaks to Temporal itself. */
const remote = proxyActivities<Pick<AssignmentBatchActivities, 'wakeAssignmentQueues'>>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/**
 * Deals or hands over many contacts, chunk by chunk (S3-39). Id `assignment/<tenant>/<batch id>`. Which contacts are
 * done stands in the database with what was done, so nothing is done twice whatever is lost in between.
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
      const chunk = await local.runAssignmentBatchChunk({ actor, batch_id });
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
    if (counts.is_cancelling) await local.cancelAssignmentBatch({ actor, batch_id });
  } catch (error) {
    // Cancelled by an operator, or refused for good (its campaign is gone): the row must not stay running.
    if (isCancellation(error) || error instanceof ActivityFailure) {
      await CancellationScope.nonCancellable(() => local.cancelAssignmentBatch({ actor, batch_id }));
    }
    throw error;
  }
  if (queued.size > 0) await remote.wakeAssignmentQueues({ actor, campaign_ids: [...queued] });
  return counts;
}
