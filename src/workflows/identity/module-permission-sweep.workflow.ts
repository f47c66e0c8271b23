import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type {
  ModulePermissionSweepActivities,
  ModulePermissionSweepPage,
  ModulePermissionSweepResult,
} from './module-permission-sweep.contract.ts';

const { sweepModulePermissions } = proxyActivities<ModulePermissionSweepActivities>({
  startToCloseTimeout: '5 minutes',
  retry: { maximumAttempts: 3 },
});

/** Bounds the history of a run; what is left is found by the next one. */
const maxPages = 100;

/** Tells and records ends of module permissions. Started by the Schedule `module-permission-sweep`; repeating changes nothing. */
export async function modulePermissionSweepWorkflow(): Promise<ModulePermissionSweepResult> {
  const total: ModulePermissionSweepResult = { noticed: 0, expired: 0 };
  for (let pages = 0; pages < maxPages; pages += 1) {
    const page: ModulePermissionSweepPage = await sweepModulePermissions();
    total.noticed += page.noticed;
    total.expired += page.expired;
    if (!page.has_more) break;
  }
  setCurrentDetails(`- noticed: ${total.noticed}\n- expired: ${total.expired}`);
  return total;
}
