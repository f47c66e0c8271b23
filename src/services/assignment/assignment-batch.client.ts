import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startOnce } from '../../platform/temporal/start-once.ts';
import {
  assignmentBatchStartOptions,
  assignmentBatchWorkflowId,
  assignmentBatchWorkflowType,
  cancelBatchSignal,
} from '../../workflows/assignment/assignment-batch.contract.ts';
import type { AssignmentBatchInput } from '../../workflows/assignment/assignment-batch.contract.ts';
import { putWorkflowStart } from '../commands/workflow-start.repository.ts';
import type { WorkflowStart } from '../commands/workflow-start.repository.ts';

/** What the workflow of a stored batch begins with. */
export type BatchStart = Omit<AssignmentBatchInput, 'queued_campaign_ids'>;

/** Writes down, in the transaction that stores a batch, that its workflow has to be started; as {@link putWorkflowStart}. */
export function putBatchStart(tx: Tx, batch: BatchStart, dueInSeconds?: number): WorkflowStart {
  return putWorkflowStart(tx, 'assignment-batch', { ...batch, actor: { ...batch.actor } }, dueInSeconds);
}

/**
 * Starts the workflow of a batch that is stored already. One that is running is left alone.
 *
 * @returns whether this call started it.
 * @throws Problem `service.unavailable` when Temporal is unavailable.
 */
export async function startAssignmentBatch(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  batch: BatchStart,
): Promise<boolean> {
  const options = assignmentBatchStartOptions({ ...batch, queued_campaign_ids: [] });
  return startOnce(temporal, assignmentBatchWorkflowType, options);
}

/**
 * Asks the workflow of a batch to end after the chunk that is running.
 *
 * @throws Problem 404 when it is not running, `service.unavailable` when Temporal is unavailable.
 */
export async function sendBatchCancellation(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  tenantId: string,
  batchId: string,
): Promise<void> {
  const workflowId = assignmentBatchWorkflowId(tenantId, batchId);
  await temporal.call((client) => client.workflow.getHandle(workflowId).signal(cancelBatchSignal));
}
