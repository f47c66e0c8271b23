import { purgeExpiredRows } from '../../services/operations/housekeeping.service.ts';
import type { HousekeepingActivities } from '../../workflows/operations/housekeeping.contract.ts';
import type { ActivityDeps } from '../deps.ts';

/** The activities of `housekeepingWorkflow`. */
export function createHousekeepingActivities(deps: Pick<ActivityDeps, 'db'>): HousekeepingActivities {
  return { purgeExpiredRows: () => purgeExpiredRows(deps) };
}
