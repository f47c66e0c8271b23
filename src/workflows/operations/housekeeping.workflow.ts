import { proxyLocalActivities, setCurrentDetails } from '@temporalio/workflow';
import type { HousekeepingActivities, PurgeCounts } from './housekeeping.contract.ts';

/** One batch is a statement of well under a second. */
const { purgeExpiredRows } = proxyLocalActivities<HousekeepingActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { maximumAttempts: 3 },
});

/** A run that finds more than this leaves the rest to the next one, so that its history stays short. */
const maxBatches = 50;

/** Removes what has run out, batch by batch. Started by the Schedule `housekeeping`; running twice removes nothing more. */
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
