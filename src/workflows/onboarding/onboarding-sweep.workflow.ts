import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { OnboardingSweepActivities, OnboardingSweepResult } from './onboarding-sweep.contract.ts';

const { sweepOnboardingLinks } = proxyActivities<OnboardingSweepActivities>({
  startToCloseTimeout: '5 minutes',
  retry: { maximumAttempts: 3 },
});

/**
 * Handles links that their own workflows have missed. Started by the Schedule `onboarding-sweep`; running it again changes
 * nothing. A run handles a bounded number of links, those that have waited longest first.
 */
export async function onboardingSweepWorkflow(): Promise<OnboardingSweepResult> {
  const swept = await sweepOnboardingLinks();
  setCurrentDetails(`- expired: ${swept.expired}\n- signalled: ${swept.told}`);
  return swept;
}
