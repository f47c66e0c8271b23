import { WorkflowNotFoundError } from '@temporalio/client';
import type { TemporalClient } from './temporal-client.ts';

/** Workflows that are described at the same time. */
const concurrency = 10;

/**
 * Which of some workflows do not run any more, with their status in Temporal (`TERMINATED`, `COMPLETED`, …), or `MISSING`
 * when the server does not know them. For sweeps over rows that only their workflow closes: when an operator terminates
 * the workflow, none of its code runs any more and the row would stay open.
 *
 * @throws Problem `service.unavailable` when Temporal is unavailable, so that no workflow counts as ended by mistake.
 */
export async function endedWorkflows(
  temporal: Pick<TemporalClient, 'call'>,
  workflowIds: readonly string[],
): Promise<Map<string, string>> {
  const ended = new Map<string, string>();
  const waiting = [...workflowIds];
  const ask = async (): Promise<void> => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const status = await statusOf(temporal, id);
      if (status !== 'RUNNING' && status !== 'PAUSED') ended.set(id, status);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, ask));
  return ended;
}

function statusOf(temporal: Pick<TemporalClient, 'call'>, workflowId: string): Promise<string> {
  return temporal.call(async (client) => {
    try {
      return (await client.workflow.getHandle(workflowId).describe()).status.name;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'MISSING';
      throw error;
    }
  });
}
