import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { WorkflowStartOptions } from '@temporalio/client';
import type { TemporalClient } from './temporal-client.ts';

/**
 * Starts a workflow, unless one with the same id exists already; so the call can be repeated.
 *
 * @returns whether this call started it.
 * @throws Problem `service.unavailable` when Temporal is unavailable.
 */
export async function startOnce(
  { call, taskQueue }: Pick<TemporalClient, 'call' | 'taskQueue'>,
  workflowType: string,
  options: Omit<WorkflowStartOptions, 'taskQueue'>,
): Promise<boolean> {
  return call(async (client) => {
    try {
      await client.workflow.start(workflowType, { ...options, taskQueue });
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  });
}
