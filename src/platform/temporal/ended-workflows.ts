import { WorkflowNotFoundError } from '@temporalio/client';
import type { TemporalClient } from './temporal-client.ts';

/** How many workflows are asked about at the same time. */
const concurrency = 10;

/**
 * Which of some workflows run no more, with how they ended in Temporal's words (`TERMINATED`, `COMPLETED`, …), or
 * `MISSING` when the server knows nothing of them. For sweeps over rows that only their workflow should close: such a
 * row waits for ever when an operator terminates the workflow, which no code of it survives.
 *
 * @throws Problem `service.unavailable` when Temporal is away, so that nothing is taken for ended that was not asked about.
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
