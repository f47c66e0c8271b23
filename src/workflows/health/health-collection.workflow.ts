import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { HealthActivities, HealthCollectionResult, TenantHealthPage } from './health-collection.contract.ts';

/** Probes use the network and have their own time limits; the next round follows in a minute. */
const { collectPlatformHealth, watchAlertEvaluation } = proxyActivities<HealthActivities>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '1 second', maximumAttempts: 3 },
});

/** A page of tenants takes some short queries, with heartbeats. */
const { collectTenantHealth } = proxyActivities<HealthActivities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '1 second', maximumAttempts: 3 },
});

/** A batch is bounded and takes seconds. */
const { tendHealthHistory } = proxyActivities<HealthActivities>({
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '1 second', maximumAttempts: 3 },
});

/** Batches in one run; the rest is left to the next one. */
const maxBatches = 10;

/**
 * One round of the health collector (S2-32). Started by the Schedule `health-collection`, one run at a time. Running a
 * round twice changes nothing: its rows are identified by its time.
 */
export async function healthCollectionWorkflow(): Promise<HealthCollectionResult> {
  const at = Date.now();
  const { measurements, unknown } = await collectPlatformHealth({ at });
  const stopped = await watchAlertEvaluation({ at });

  let [tenants, failed_tenants] = [0, 0];
  let after: string | null = null;
  do {
    const page: TenantHealthPage = await collectTenantHealth({ at, after });
    tenants += page.tenants;
    failed_tenants += page.failed;
    after = page.next_after;
  } while (after !== null);

  let [rolled_up, purged] = [0, 0];
  for (let batch = 0; batch < maxBatches; batch += 1) {
    const tended = await tendHealthHistory({ at });
    rolled_up += tended.rolled_up;
    purged += tended.purged;
    if (!tended.full) break;
  }

  setCurrentDetails(
    [
      `- measurements of the platform: ${measurements}, unknown: ${unknown}`,
      `- tenants: ${tenants}, not measured: ${failed_tenants}`,
      ...(stopped === null ? [] : [`- **the alert evaluation has not run since ${stopped.stopped_since}**`]),
    ].join('\n'),
  );
  return { measurements, unknown, tenants, failed_tenants, rolled_up, purged };
}
