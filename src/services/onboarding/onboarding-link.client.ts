import type { ProcessDeps } from '../../platform/process-deps.ts';
import { onboardingLinkStartOptions, onboardingLinkWorkflowType } from '../../workflows/onboarding/onboarding-link.contract.ts';
import type { OnboardingLinkInput } from '../../workflows/onboarding/onboarding-link.contract.ts';

/**
 * Signals the workflow of a link that its row has changed, starting it where it is not running.
 *
 * @throws Problem `service.unavailable` when Temporal is unavailable.
 */
export async function sendOnboardingChanged(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  link: OnboardingLinkInput,
): Promise<void> {
  await temporal.call((client) =>
    client.workflow.signalWithStart(onboardingLinkWorkflowType, {
      ...onboardingLinkStartOptions(link),
      taskQueue: temporal.taskQueue,
    }),
  );
}

/**
 * {@link sendOnboardingChanged} for callers on a request path. A failure is only logged: the change is committed, and the
 * sweep signals links that their workflow has not seen.
 */
export async function sendOnboardingChangedOrLog(
  { temporal, log }: Pick<ProcessDeps, 'temporal' | 'log'>,
  link: OnboardingLinkInput,
): Promise<void> {
  try {
    await sendOnboardingChanged({ temporal }, link);
  } catch (error) {
    log.warn({ err: error, link_id: link.link_id }, 'an onboarding workflow could not be notified; the sweep will do it');
  }
}
