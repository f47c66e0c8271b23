import { heartbeat } from '@temporalio/activity';
import { selectForRetry } from '../../domain/queue/queue-bulk-retry.ts';
import { newFailureRatio } from '../../domain/queue/retry-breaker.ts';
import { actorOfRef } from '../../domain/shared/actor.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { QueueProvider, QueueSource } from '../../platform/outbound/queue-provider.ts';
import { Problem } from '../../platform/problem.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { commandUnitOfWork } from '../../services/commands/command.repository.ts';
import { scanFailedJobs } from '../../services/queue/failed-job-scan.ts';
import { findQueue, isBulkRetryCancelled } from '../../services/queue/queue.queries.ts';
import { beginBulkRetry, endBulkRetryEvent } from '../../services/queue/queue.repository.ts';
import { queueBulkRetryWorkflowId } from '../../workflows/queue/queue-bulk-retry.contract.ts';
import type { BulkRetryRef, QueueBulkRetryActivities, RetryTarget } from '../../workflows/queue/queue-bulk-retry.contract.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'keyring' | 'queues'>;

/** The activities of `queueBulkRetryWorkflow`. */
export function createQueueRetryActivities(deps: Deps): QueueBulkRetryActivities {
  const inRetry = <Result>(
    { actor, queue_id, command_id }: BulkRetryRef & { command_id?: string },
    work: (tx: Tx) => Promise<Result>,
  ) => {
    const acting = actorOfRef(actor, queueBulkRetryWorkflowId(actor.tenant_id, queue_id));
    return commandUnitOfWork(deps, acting, command_id, work);
  };
  const withEngine = async <Result>(ref: BulkRetryRef, work: (engine: QueueProvider, queue: QueueSource) => Promise<Result>) => {
    const queue = await findQueue(deps, ref);
    return work(deps.queues.of(queue.provider), queue);
  };
  return {
    beginBulkRetry: (input) => asActivity(() => inRetry(input, (tx) => beginBulkRetry(tx, deps.queues, input))),
    selectFailedJobs: (input) =>
      asActivity(() =>
        withEngine(input, async (engine, queue) => {
          const { jobs } = await scanFailedJobs(engine, queue, () => heartbeat());
          return selectForRetry(jobs, input.plan).map(({ job_id, failed_at }) => ({ job_id, failed_at }));
        }),
      ),
    retryFailedJobs: (input) =>
      asActivity(() =>
        withEngine(input, async (engine, queue) => {
          const watched: string[] = [];
          if (await isBulkRetryCancelled(deps, input)) return { watched, skipped: 0, is_cancelled: true };
          for (const target of input.targets) {
            heartbeat();
            const watchId = await retryOnce(engine, queue, target);
            if (watchId !== null) watched.push(watchId);
          }
          return { watched, skipped: input.targets.length - watched.length, is_cancelled: false };
        }),
      ),
    observeRetriedJobs: (input) =>
      asActivity(() =>
        withEngine(input, async (engine, queue) => {
          const completed: string[] = [];
          const failed: string[] = [];
          for (const id of input.watched) {
            heartbeat();
            const job = await engine.findJob(queue, id);
            // Many queues do not keep completed jobs, so a job that is gone counts as completed.
            if (job === null || job.state === 'completed') completed.push(id);
            else if (job.state === 'failed') failed.push(id);
          }
          return { completed, failed };
        }),
      ),
    finishBulkRetry: ({ end, counts, ...ref }) =>
      asActivity(async () => {
        const details = { ...counts, new_failure_ratio: newFailureRatio(counts) };
        await inRetry(ref, (tx) => endBulkRetryEvent(tx, ref.bulk_id, end, details));
      }),
  };
}

/**
 * Retries a job unless it is gone or was retried already, by an attempt of this activity that died or by somebody else.
 *
 * @returns the id to observe, or null when there was nothing to retry.
 */
async function retryOnce(engine: QueueProvider, queue: QueueSource, { job_id, failed_at }: RetryTarget) {
  const job = await engine.findJob(queue, job_id);
  if (job === null) return null;
  if (job.state !== 'failed' || job.finished_at !== failed_at) return job_id;
  try {
    return await engine.retry(queue, job_id, 'failed_step');
  } catch (error) {
    if (error instanceof Problem && error.status < 500) return null;
    throw error;
  }
}
