import { WithStartWorkflowOperation } from '@temporalio/client';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import {
  beginBulkRetryUpdate,
  bulkRetryProgressQuery,
  cancelBulkRetrySignal,
  defaultIntervalMs,
  defaultSettleMs,
  queueBulkRetryStartOptions,
  queueBulkRetryWorkflowId,
  queueBulkRetryWorkflowType,
} from '../../workflows/queue/queue-bulk-retry.contract.ts';
import type { BulkRetryCounts, BulkRetryPlan } from '../../workflows/queue/queue-bulk-retry.contract.ts';

type Deps = Pick<ProcessDeps, 'temporal'>;

/** A bulk retry that somebody asks for. */
interface BulkRetryRequest {
  readonly queue_id: string;
  readonly reason: string;
  readonly plan: BulkRetryPlan;
  /** Of the factor proof, which the workflow consumes. */
  readonly mfa_proof_id: string;
}

/**
 * Starts a bulk retry.
 *
 * @returns its id, which is also that of its event.
 * @throws Problem `queue.retry-running`, or `service.unavailable` when Temporal is unavailable.
 */
export async function startBulkRetry(
  { temporal }: Deps,
  actor: Actor,
  retry: BulkRetryRequest,
  { command_id, waits_until }: WorkflowCommand,
): Promise<string> {
  const bulk_id = command_id;
  const input = {
    ...retry,
    bulk_id,
    command_id,
    actor: actorRef(actor),
    interval_ms: defaultIntervalMs,
    settle_ms: defaultSettleMs,
    carry: null,
  };
  await temporal.call(
    (client) =>
      client.workflow.executeUpdateWithStart(beginBulkRetryUpdate, {
        updateId: command_id,
        args: [{ bulk_id }],
        startWorkflowOperation: new WithStartWorkflowOperation(queueBulkRetryWorkflowType, {
          ...queueBulkRetryStartOptions(input),
          taskQueue: temporal.taskQueue,
          // A running bulk retry refuses the update of this one; a start whose answer was lost is found again.
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      }),
    waits_until,
  );
  return bulk_id;
}

/** The counts of a running bulk retry; null when its workflow cannot be asked, or works on another one by now. */
export async function queryBulkRetryProgress(
  { temporal }: Deps,
  actor: Actor,
  { queue_id, bulk_id }: { readonly queue_id: string; readonly bulk_id: string },
): Promise<BulkRetryCounts | null> {
  const id = queueBulkRetryWorkflowId(actor.tenant_id, queue_id);
  try {
    const progress = await temporal.call((client) => client.workflow.getHandle(id).query(bulkRetryProgressQuery));
    return progress.bulk_id === bulk_id ? progress.counts : null;
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}

/**
 * Has a bulk retry end early; another one of the queue goes on.
 *
 * @param bulk_id missing in what earlier releases wrote down: then the one that runs.
 * @throws Problem 404 when none runs.
 */
export async function cancelBulkRetry(
  { temporal }: Deps,
  tenantId: string,
  { queue_id, bulk_id }: { readonly queue_id: string; readonly bulk_id?: string | undefined },
): Promise<void> {
  const id = queueBulkRetryWorkflowId(tenantId, queue_id);
  const message = bulk_id === undefined ? undefined : { bulk_id };
  await temporal.call((client) => client.workflow.getHandle(id).signal(cancelBulkRetrySignal, message));
}
