import { sweepIntegrations } from '../../services/integration/integration-sweep.service.ts';
import type { IntegrationSweepActivities } from '../../workflows/integration/integration-sweep.contract.ts';
import type { ActivityDeps } from '../deps.ts';

/** The activities of `integrationSweepWorkflow`. */
export function createIntegrationSweepActivities(
  deps: Pick<ActivityDeps, 'db' | 'temporal'>,
): IntegrationSweepActivities {
  return { sweepIntegrations: () => sweepIntegrations(deps) };
}
