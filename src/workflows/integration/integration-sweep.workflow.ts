import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { IntegrationSweepActivities, IntegrationSweepResult } from './integration-sweep.contract.ts';

const { sweepIntegrations } = proxyActivities<IntegrationSweepActivities>({
  startToCloseTimeout: '5 minutes',
  retry: { maximumAttempts: 3 },
});

/**
 * Brings Temporal up to the rows of integrations and key rotations. Started by the Schedule `integration-sweep`, and by
 * the API right after a change; a second run changes nothing. Each run handles a bounded number of rows, those that have
 * waited longest.
 */
export async function integrationSweepWorkflow(): Promise<IntegrationSweepResult> {
  const swept = await sweepIntegrations();
  setCurrentDetails(`- Schedules: ${swept.scheduled}\n- rotations: ${swept.rotating}`);
  return swept;
}
