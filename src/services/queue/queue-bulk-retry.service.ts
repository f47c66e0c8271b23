import { countByErrorClass, selectForRetry } from '../../domain/queue/queue-bulk-retry.ts';
import { newFailureRatio } from '../../domain/queue/retry-breaker.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { ReadDeps } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assertQueueCapability } from '../../platform/outbound/queue-provider.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { delegateProof } from '../../platform/security/mfa-token.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import type { BulkRetryPlan } from '../../workflows/queue/queue-bulk-retry.contract.ts';
import { scanFailedJobs } from './failed-job-scan.ts';
import { queryBulkRetryProgress, startBulkRetry } from './queue-bulk-retry.client.ts';
import { tellAfterCommit } from '../commands/workflow-start.service.ts';
import { findBulkRetryEvent, queueByName } from './queue.queries.ts';
import { recordBulkRetryCancel } from './queue.repository.ts';

type Deps = Pick<ProcessDeps, 'db' | 'queues' | 'temporal'>;

/** One bulk retry of one queue. */
interface BulkRetryId {
  readonly queue_name: string;
  readonly bulk_id: string;
}

/**
 * A queue whose failed jobs can be retried.
 *
 * @param deps.db in a rehearsal its transaction.
 * @throws Problem 404, or `queue.unsupported`.
 */
export async function retryableQueue(deps: ReadDeps & Pick<Deps, 'queues'>, actor: Actor, name: string) {
  const queue = await queueByName(deps, actor, name);
  const engine = deps.queues.of(queue.provider);
  assertQueueCapability(engine, 'retry');
  return { queue, engine };
}

/**
 * Counts the failed jobs of a queue by error class, and what a bulk retry with this plan would take. Changes nothing.
 *
 * @param plan.error_class one class; all when left out.
 * @throws Problem 404, `queue.unsupported`, or `service.unavailable` when the engine is unavailable.
 */
export async function previewBulkRetry(
  deps: Deps,
  actor: Actor,
  queueName: string,
  plan: { readonly error_class?: string | undefined; readonly cap: number },
) {
  const { queue, engine } = await retryableQueue(deps, actor, queueName);
  const { jobs, is_complete } = await scanFailedJobs(engine, queue);
  const error_classes = plan.error_class === undefined ? [] : [plan.error_class];
  return {
    scanned: jobs.length,
    is_complete,
    classes: countByErrorClass(jobs),
    would_retry: selectForRetry(jobs, { error_classes, cap: plan.cap }).length,
  };
}

/**
 * Starts a bulk retry.
 *
 * @returns its id.
 * @throws Problem 404, `queue.unsupported`, `queue.retry-running`, or `service.unavailable`.
 */
export async function requestBulkRetry(
  deps: Deps,
  actor: Actor,
  mfa: MfaProof | null,
  { queue_name, reason, plan }: { readonly queue_name: string; readonly reason: string; readonly plan: BulkRetryPlan },
  command: WorkflowCommand,
): Promise<string> {
  const { queue } = await retryableQueue(deps, actor, queue_name);
  const retry = { queue_id: queue.id, reason, plan, mfa_proof_id: delegateProof(mfa) };
  return startBulkRetry(deps, actor, retry, command);
}

/** A bulk retry with its progress: live while it runs, else as it ended. @throws Problem 404. */
export async function getBulkRetry(deps: Deps, actor: Actor, { queue_name, bulk_id }: BulkRetryId) {
  const queue = await queueByName(deps, actor, queue_name);
  return readBulkRetry(deps, actor, queue.id, bulk_id);
}

/**
 * Has a bulk retry end early; what has been retried stays retried. From then on its row decides: no further jobs are taken, and it
 * ends as cancelled, whenever its workflow is told.
 *
 * @throws Problem 404, `queue.retry-over`.
 */
export async function endBulkRetry(
  deps: Deps & Pick<ProcessDeps, 'log'>,
  tx: Tx,
  { queue_name, bulk_id }: BulkRetryId,
) {
  const queue = await queueByName({ db: tx }, tx.actor, queue_name);
  const { details, ...event } = await findBulkRetryEvent(tx, tx.actor, queue.id, bulk_id);
  await recordBulkRetryCancel(tx, bulk_id);
  const audited = { resource_type: 'queue', resource_id: queue.id, new_values: { event_id: bulk_id } };
  tx.audit({ event: 'queue.bulk-retry-cancel', action: 'update', ...audited });
  tellAfterCommit(deps, tx, 'bulk-retry-cancel', { queue_id: queue.id, bulk_id });
  return { ...details, ...event, progress: 'selected' in details ? details : null };
}

async function readBulkRetry(deps: Deps, actor: Actor, queue_id: string, bulk_id: string) {
  const { details, ...event } = await findBulkRetryEvent(deps.db, actor, queue_id, bulk_id);
  const counts = event.state === 'running' ? await queryBulkRetryProgress(deps, actor, { queue_id, bulk_id }) : null;
  const live = counts === null ? null : { ...counts, new_failure_ratio: newFailureRatio(counts) };
  return { ...details, ...event, progress: live ?? ('selected' in details ? details : null) };
}
