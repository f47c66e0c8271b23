import { heartbeat } from '@temporalio/activity';
import { openQueueEvent, lockQueue, settleQueueEvent } from '../../services/queue/queue.repository.ts';
import { actorInWorkflow } from '../../domain/shared/actor.ts';
import { newFailureRatio, selectForRetry } from '../../domain/queue/queue-retry.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import { Problem } from '../../platform/problem.ts';
import { scanFailedJobs } from '../../services/queue/queue-failures.ts';
import { assertQueueCapability } from '../../platform/outbound/queue-provider.ts';
import type { QueueProvider, QueueSource } from '../../platform/outbound/queue-provider.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { queueBulkRetryWorkflowId } from '../../workflows/queue/queue-bulk-retry.contract.ts';
import type {
  BulkRetryRef,
  QueueBulkRetryActivities,
  QueueBulkRetryInput,
  RetryTarget,
} from '../../workflows/queue/queue-bulk-retry.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { findQueue } from '../../services/queue/queue.queries.ts';

type Deps = Pick<ActivityDeps, 'db' | 'queues'>;

/** The activities of `queueBulkRetryWorkflow`. */
export function createQueueRetryActivities(deps: Deps): QueueBulkRetryActivities {
  const inRetry = <Result>({ actor, queue_id }: BulkRetryRef, work: (tx: Tx) => Promise<Result>) =>
    unitOfWork(deps.db, actorInWorkflow(actor, queueBulkRetryWorkflowId(actor.tenant_id, queue_id)), work);
  const withEngine = async <Result>(ref: BulkRetryRef, work: (engine: QueueProvider, queue: QueueSource) => Promise<Result>) => {
    const queue = await findQueue(deps, ref);
    return work(deps.queues.of(queue.provider), queue);
  };
  return {
    beginBulkRetry: (input) => asActivity(() => inRetry(input, (tx) => begin(deps, tx, input))),
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
          for (const target of input.targets) {
            heartbeat();
            const watch = await retryOnce(engine, queue, target);
            if (watch !== null) watched.push(watch);
          }
          return { watched, skipped: input.targets.length - watched.length };
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
            // Many queues keep no completed jobs.
            if (job === null || job.state === 'completed') completed.push(id);
            else if (job.state === 'failed') failed.push(id);
          }
          return { completed, failed };
        }),
      ),
    finishBulkRetry: ({ end, counts, ...ref }) =>
      asActivity(async () => {
        const details = { ...counts, new_failure_ratio: newFailureRatio(counts) };
        await inRetry(ref, (tx) => settleQueueEvent(tx, ref.bulk_id, { state: end, details }));
      }),
  };
}

async function begin(deps: Deps, tx: Tx, { queue_id, bulk_id, reason, plan, mfa_proof_id }: QueueBulkRetryInput) {
  const { provider } = await lockQueue(tx, { id: queue_id });
  const known = await tx.sql.selectFrom('admin_queue_events').where('id', '=', bulk_id).select('id').executeTakeFirst();
  if (known !== undefined) return;
  assertQueueCapability(deps.queues.of(provider), 'retry');
  await consumeMfaProof(tx, mfa_proof_id, tx.actor);
  await openQueueEvent(tx, { id: bulk_id, queue_id, kind: 'bulk_retry', state: 'running', reason, details: { ...plan } });
}

/**
 * Retries a job unless it is gone or has been retried already, by an attempt that was killed or by somebody else.
 *
 * @returns the id to watch, or null when there was nothing to retry.
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
