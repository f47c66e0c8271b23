import { proxyLocalActivities, setCurrentDetails } from '@temporalio/workflow';
import type { HousekeepingActivities, PurgeCounts } from './housekeeping.contract.ts';

/** A batch is one statement of well under a second. */
const { purgeExpiredRows } = proxyLocalActivities<HousekeepingActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { maximumAttempts: 3 },
});

/** Batches in one run; the rest is left to the next one, so that the history stays short. */
const maxBatches = 50;

/** Deletes expired rows, batch by batch. Started by the Schedule `housekeeping`; a second run finds nothing more. */
export async function housekeepingWorkflow(): Promise<PurgeCounts> {
  const total: PurgeCounts = {};
  for (let batch = 0; batch < maxBatches; batch += 1) {
    const { counts, full } = await purgeExpiredRows();
    for (const [table, removed] of Object.entries(counts)) total[table] = (total[table] ?? 0) + removed;
    if (!full) break;
  }
  setCurrentDetails(
    Object.entries(total)
      .map(([table, removed]) => `- ${table}: ${removed}`)
      .join('\n'),
  );
  return total;
}
