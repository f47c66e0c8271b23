import type { Client } from '@temporalio/client';
import type { StormHistory } from './history.ts';

/** An execution as its server lists it. */
export interface ListedWorkflow {
  readonly id: string;
  readonly runId: string;
  readonly type: string;
  readonly status: string;
}

/** The newest run of each workflow of the installation, by its id. */
export async function listWorkflows({ temporal, target }: Pick<StormHistory, 'temporal' | 'target'>): Promise<ListedWorkflow[]> {
  const found: ListedWorkflow[] = [];
  for await (const { workflowId, runId, type, status } of temporal.workflow.list({ query: `TaskQueue = '${target.env.TEMPORAL_TASK_QUEUE}'` })) {
    found.push({ id: workflowId, runId, type, status: status.name });
  }
  return found;
}

/** What a workflow has answered at its end. */
export function resultOf(temporal: Client, { id, runId }: ListedWorkflow): Promise<unknown> {
  return temporal.workflow.getHandle(id, runId).result();
}

/** Does something to each of a list, a few at a time. */
export async function forEachOf<One>(list: readonly One[], work: (one: One) => Promise<void>): Promise<void> {
  const left = [...list];
  const next = async () => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) await work(one);
  };
  await Promise.all(Array.from({ length: 8 }, next));
}
