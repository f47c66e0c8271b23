import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { OnboardingSweepActivities, OnboardingSweepResult } from './onboarding-sweep.contract.ts';

const { sweepOnboardingLinks } = proxyActivities<OnboardingSweepActivities>({
  startToCloseTimeout: '5 minutes',
  retry: { maximumAttempts: 3 },
});

/**
 * Looks after links that their own workflows have missed. Started by the Schedule `onboarding-sweep`; running it twice
 * does nothing more. A run takes a bounded number of links, those that have waited longest.
 */
export async function onboardingSweepWorkflow(): Promise<OnboardingSweepResult> {
  const swept = await sweepOnboardingLinks();
  setCurrentDetails(`- expired: ${swept.expired}\n- told: ${swept.told}`);
  return swept;
}
