import { onboardingLinkStartOptions, onboardingLinkWorkflowType } from '../../workflows/onboarding/onboarding-link.contract.ts';
import type { OnboardingLinkInput } from '../../workflows/onboarding/onboarding-link.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/**
 * Tells the workflow of a link that its row has changed, starting it where it is not running. The row is committed and
 * true whether or not this arrives: while Temporal is away the sweep makes up for it, so nobody is refused for it.
 */
export async function sendOnboardingSignal(
  { temporal, log }: Pick<ProcessDeps, 'temporal' | 'log'>,
  link: OnboardingLinkInput,
): Promise<void> {
  try {
    await temporal.call((client) =>
      client.workflow.signalWithStart(onboardingLinkWorkflowType, {
        ...onboardingLinkStartOptions(link),
        taskQueue: temporal.taskQueue,
      }),
    );
  } catch (error) {
    log.warn({ err: error, link_id: link.link_id }, 'an onboarding workflow could not be told; the sweep will');
  }
}
