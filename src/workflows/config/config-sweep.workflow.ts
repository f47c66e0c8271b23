import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { ConfigSweepActivities } from './config-sweep.contract.ts';

const { sweepRollouts } = proxyActivities<ConfigSweepActivities>({
  startToCloseTimeout: '2 minutes',
  retry: { maximumAttempts: 3 },
});

/** Starts the workflows of rollouts that have none. Started by the Schedule `config-sweep`; it may run twice. */
export async function configSweepWorkflow(): Promise<{ started: number }> {
  const started = await sweepRollouts();
  setCurrentDetails(`- started: ${started}`);
  return { started };
}
