import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { WorkflowStartOptions } from '@temporalio/client';
import type { TemporalClient } from './temporal-client.ts';

/**
 * Starts a workflow; one of the same id that is there already is left alone, so that it can be asked for again.
 *
 * @returns whether this call started it.
 * @throws Problem `service.unavailable` when Temporal is away.
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
