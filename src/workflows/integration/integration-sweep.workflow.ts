import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { IntegrationSweepActivities, IntegrationSweepResult } from './integration-sweep.contract.ts';

const { sweepIntegrations } = proxyActivities<IntegrationSweepActivities>({
  startToCloseTimeout: '5 minutes',
  retry: { maximumAttempts: 3 },
});

/**
 * Follows what was written about integrations. Started by the Schedule `integration-sweep`, and by the API right after a
 * change; running it twice does nothing more. A run takes a bounded number, those that have waited longest.
 */
export async function integrationSweepWorkflow(): Promise<IntegrationSweepResult> {
  const swept = await sweepIntegrations();
  setCurrentDetails(`- Schedules: ${swept.scheduled}\n- rotations: ${swept.rotating}`);
  return swept;
}
