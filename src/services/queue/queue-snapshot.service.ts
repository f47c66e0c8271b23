import type { QueueSnapshot } from '../../platform/outbound/queue-provider.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { QueueRow } from './queue.queries.ts';

/**
 * Asks the engines for the present state of several queues at the same time.
 *
 * @returns the snapshots by the id of the queue; null for a queue whose engine cannot be reached, so that one engine that
 *   is unavailable does not hide the queues of the others.
 */
export async function liveStates(
  { queues }: Pick<ProcessDeps, 'queues'>,
  rows: readonly QueueRow[],
): Promise<ReadonlyMap<string, QueueSnapshot | null>> {
  const snapshots = rows.map(async (row) => {
    const snapshot = await queues
      .of(row.provider)
      .snapshot(row)
      .catch(() => null);
    return [row.id, snapshot] as const;
  });
  return new Map(await Promise.all(snapshots));
}
