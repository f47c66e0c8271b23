import type { Client } from '@temporalio/client';
import type { StormHistory } from './history.ts';

/** An execution as its server lists it. */
export interface ListedWorkflow {
  readonly id: string;
  readonly runId: string;
  readonly type: string;
  readonly status: string;
  /** Milliseconds since the epoch; now for one that runs. */
  readonly startedAt: number;
  readonly endedAt: number;
}

/** The newest run of each workflow of the installation, by its id. */
export async function listWorkflows({ temporal, target }: Pick<StormHistory, 'temporal' | 'target'>): Promise<ListedWorkflow[]> {
  const newest = new Map<string, ListedWorkflow>();
  for await (const listed of temporal.workflow.list({ query: `TaskQueue = '${target.env.TEMPORAL_TASK_QUEUE}'` })) {
    const { workflowId: id, runId, type, status, startTime, closeTime } = listed;
    const one = { id, runId, type, status: status.name, startedAt: startTime.getTime(), endedAt: closeTime?.getTime() ?? Date.now() };
    if (one.startedAt >= (newest.get(id)?.startedAt ?? 0)) newest.set(id, one);
  }
  return [...newest.values()];
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
