import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startOnce } from '../../platform/temporal/start-once.ts';
import {
  assignmentBatchStartOptions,
  assignmentBatchWorkflowId,
  assignmentBatchWorkflowType,
  cancelBatchSignal,
} from '../../workflows/assignment/assignment-batch.contract.ts';
import type { AssignmentBatchInput } from '../../workflows/assignment/assignment-batch.contract.ts';

/**
 * Starts the workflow of a batch that is stored already. One that is running is left alone.
 *
 * @returns whether this call started it.
 * @throws Problem `service.unavailable` when Temporal is unavailable.
 */
export async function startAssignmentBatch(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  batch: Omit<AssignmentBatchInput, 'queued_campaign_ids'>,
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
