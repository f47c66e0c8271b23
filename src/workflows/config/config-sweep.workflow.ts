import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { ConfigSweepActivities } from './config-sweep.contract.ts';

const { sweepRollouts } = proxyActivities<ConfigSweepActivities>({
  startToCloseTimeout: '2 minutes',
  retry: { maximumAttempts: 3 },
});

/** Gives rollouts without a workflow one. Started by the Schedule `config-sweep`; running it twice does nothing more. */
export async function configSweepWorkflow(): Promise<{ started: number }> {
  const started = await sweepRollouts();
  setCurrentDetails(`- started: ${started}`);
  return { started };
}
