import { asActivity } from '../../platform/temporal/application-failure.ts';
import { sweepModulePermissions } from '../../services/identity/role/module-permission-sweep.service.ts';
import type { ModulePermissionSweepActivities } from '../../workflows/identity/module-permission-sweep.contract.ts';
import type { ActivityDeps } from '../deps.ts';

/** The activity of `modulePermissionSweepWorkflow`. */
export function createModulePermissionSweepActivities(
  deps: Pick<ActivityDeps, 'db' | 'temporal'>,
): ModulePermissionSweepActivities {
  return { sweepModulePermissions: () => asActivity(() => sweepModulePermissions(deps)) };
}
