import {
  condition,
  continueAsNew,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { nextOnboardingStep, unsentNotifications } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingLinkState, OnboardingNotification, OnboardingStep } from '../../domain/onboarding/onboarding.ts';
import { onboardingChangedSignal, onboardingNextQuery } from './onboarding-link.contract.ts';
import type { OnboardingActivities, OnboardingLinkInput, OnboardingLinkResult } from './onboarding-link.contract.ts';

/** One short transaction each, retried until done: a link expires however long the database is unavailable. */
const background = proxyLocalActivities<OnboardingActivities>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '10 seconds' },
});

/** Mail and notifications are tried for a day and then given up, because the link must go on. */
const notification = proxyActivities<OnboardingActivities>({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '1 day',
  retry: { initialInterval: '2 seconds', maximumInterval: '10 minutes' },
});

/**
 * The timers of one onboarding link (S3-55): reminders, warning and expiry at the minute, and the notifications of its
 * creator. Id `onboarding/<tenant>/<linkId>`.
 *
 * The row is the source of truth. Whoever changes it signals the workflow, which reads it again, so extending re-arms all
 * timers and revoking ends them. Each operation is claimed by a conditional update, so that the sweep, a repetition and a
 * late timer do nothing twice.
 */
export async function onboardingLinkWorkflow(input: OnboardingLinkInput): Promise<OnboardingLinkResult> {
  let changes = 0;
  let link: OnboardingLinkState | null = null;
  let nextAt: number | null = null;
  setHandler(onboardingChangedSignal, () => {
    changes += 1;
  });
  setHandler(onboardingNextQuery, () => ({
    status: link?.status ?? null,
    next_at: nextAt === null ? null : new Date(nextAt).toISOString(),
  }));

  for (;;) {
    const seen = changes;
    link = await background.attendOnboardingLink(input);
    if (link === null) return { status: 'missing' };
    setCurrentDetails(`**${link.status}** until ${link.expires_at}, ${link.reminder_count} reminders sent.`);
    for (const event of unsentNotifications(link)) await announce(event, link);
    const step = nextOnboardingStep(link, Date.now());
    if (step.kind === 'end') {
      if (changes === seen) return { status: link.status };
    } else if (step.kind === 'wait') {
      nextAt = step.until;
      await condition(() => changes !== seen, step.until - Date.now(), { summary: 'Next step of the link' });
      nextAt = null;
    } else {
      await act(step.kind, link);
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof onboardingLinkWorkflow>(input);
  }

  async function act(kind: Exclude<OnboardingStep['kind'], 'end' | 'wait'>, state: OnboardingLinkState): Promise<void> {
    const timed = { ...input, at: Date.now() };
    switch (kind) {
      case 'expire':
        await background.expireOnboardingLink(timed);
        return;
      case 'warn':
        if (await background.claimOnboardingWarning(timed)) await announce('expiring', state);
        return;
      case 'remind':
        if (await background.claimOnboardingReminder({ ...timed, reminder_count: state.reminder_count })) {
          await notification.sendOnboardingReminder(input).catch(() => undefined);
        }
        return;
    }
  }

  async function announce(event: OnboardingNotification, { extended_count }: OnboardingLinkState): Promise<void> {
    await notification.announceOnboardingLink({ ...input, news: event, extended_count });
  }
}
