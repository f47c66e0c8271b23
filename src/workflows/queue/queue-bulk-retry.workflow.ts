import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { isBreakerOpen } from '../../domain/queue/retry-breaker.ts';
import { beginBulkRetryUpdate, bulkRetryProgressQuery, cancelBulkRetrySignal } from './queue-bulk-retry.contract.ts';
import type {
  BulkRetryCounts,
  BulkRetryEnd,
  QueueBulkRetryActivities,
  QueueBulkRetryInput,
  RetryTarget,
} from './queue-bulk-retry.contract.ts';

/** One short transaction each, retried until it is done. */
const background = proxyLocalActivities<Pick<QueueBulkRetryActivities, 'beginBulkRetry' | 'finishBulkRetry'>>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '10 seconds' },
});

/** An engine that is unavailable is waited for an hour; then the bulk retry ends as failed and leaves the rest alone. */
const engine = proxyActivities<
  Pick<QueueBulkRetryActivities, 'selectFailedJobs' | 'retryFailedJobs' | 'observeRetriedJobs'>
>({
  startToCloseTimeout: '60 seconds',
  heartbeatTimeout: '10 seconds',
  scheduleToCloseTimeout: '1 hour',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
});

/** Unsettled jobs that are observed in one interval, in turn. */
const observedAtOnce = 100;

/**
 * Retries failed jobs by a plan: no more than the cap, no faster than the rate, and no further once too many of the settled
 * ones have failed again. Id `queue-bulk-retry/<tenant>/<queueId>`.
 *
 * The jobs are selected once, each with the time of its failure, so a lost worker never makes a job be retried twice.
 */
export async function queueBulkRetryWorkflow(input: QueueBulkRetryInput): Promise<BulkRetryCounts> {
  const { actor, queue_id, bulk_id, plan, carry } = input;
  const ref = { actor, queue_id, bulk_id };
  const counts = carry?.counts ?? { selected: 0, retried: 0, skipped: 0, completed: 0, failed_again: 0 };
  let targets: RetryTarget[] = carry?.targets ?? [];
  let watched: string[] = carry?.watched ?? [];
  let isCancelled = false;

  const begun = carry === null ? background.beginBulkRetry(input) : Promise.resolve();
  setHandler(beginBulkRetryUpdate, () => begun, {
    validator: (message: { bulk_id: string }) => {
      if (message.bulk_id !== bulk_id) {
        throw ApplicationFailure.nonRetryable('A bulk retry of this queue is running.', 'queue.retry-running');
      }
    },
  });
  setHandler(cancelBulkRetrySignal, (message) => {
    if (message === undefined || message.bulk_id === bulk_id) isCancelled = true;
  });
  setHandler(bulkRetryProgressQuery, () => ({ bulk_id, counts }));

  const isBegun = await begun.then(() => true, () => false);
  if (isBegun) await finish(await retryAndSettle());
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  return counts;

  async function retryAndSettle(): Promise<BulkRetryEnd> {
    try {
      if (carry === null) {
        targets = await engine.selectFailedJobs({ ...ref, plan });
        counts.selected = targets.length;
      }
      return (await retryAll()) ?? (await settle());
    } catch (error) {
      if (isCancellation(error)) return 'cancelled';
      if (error instanceof ActivityFailure) return 'failed';
      throw error;
    }
  }

  /** @returns how it ended early, or null when everything is retried. */
  async function retryAll(): Promise<BulkRetryEnd | null> {
    const size = Math.max(1, Math.round((plan.per_second * input.interval_ms) / 1000));
    while (targets.length > 0) {
      if (isCancelled) return 'cancelled';
      const { watched: more, skipped, is_cancelled } = await engine.retryFailedJobs({ ...ref, targets: targets.slice(0, size) });
      if (is_cancelled === true) return 'cancelled';
      targets = targets.slice(size);
      watched.push(...more);
      counts.retried += more.length;
      counts.skipped += skipped;
      await waitInterval();
      if (await hasTripped()) return 'stopped';
      if (targets.length > 0 && workflowInfo().continueAsNewSuggested) {
        await condition(allHandlersFinished);
        await continueAsNew<typeof queueBulkRetryWorkflow>({ ...input, carry: { counts, targets, watched } });
      }
    }
    return null;
  }

  /** Waits for the last results, so that the final counts are right. The bulk retry is done whether or not they come. */
  async function settle(): Promise<BulkRetryEnd> {
    const deadline = Date.now() + input.settle_ms;
    while (watched.length > 0 && !isCancelled && Date.now() < deadline) {
      if (await hasTripped()) return 'stopped';
      if (watched.length > 0) await waitInterval();
    }
    return 'done';
  }

  async function hasTripped(): Promise<boolean> {
    const observed = watched.slice(0, observedAtOnce);
    const settled = await engine.observeRetriedJobs({ ...ref, watched: observed });
    counts.completed += settled.completed.length;
    counts.failed_again += settled.failed.length;
    const settledIds = new Set([...settled.completed, ...settled.failed]);
    // Jobs that are still unsettled go to the end, so that slow ones do not hide the others.
    watched = [...watched.slice(observedAtOnce), ...observed.filter((id) => !settledIds.has(id))];
    setCurrentDetails(
      `${counts.retried} of ${counts.selected} retried, ${counts.completed} completed, ${counts.failed_again} failed`,
    );
    return isBreakerOpen(counts, plan);
  }

  async function waitInterval(): Promise<void> {
    await condition(() => isCancelled, input.interval_ms, { summary: 'Rate of the bulk retry' });
  }

  async function finish(end: BulkRetryEnd): Promise<void> {
    await CancellationScope.nonCancellable(() => background.finishBulkRetry({ ...ref, end, counts }));
  }
}
