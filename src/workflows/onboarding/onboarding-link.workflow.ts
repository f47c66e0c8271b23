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
import type { OnboardingFacts, OnboardingNotification, OnboardingStep } from '../../domain/onboarding/onboarding.ts';
import { onboardingChangedSignal, onboardingNextQuery } from './onboarding-link.contract.ts';
import type { OnboardingActivities, OnboardingLinkInput, OnboardingLinkResult } from './onboarding-link.contract.ts';

/** One short transaction each; a link has to expire however long the database is away. */
const local = proxyLocalActivities<OnboardingActivities>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '10 seconds' },
});

/** Mail and news go out to others; they are tried for a day and then given up, because the link goes on. */
const outward = proxyActivities<OnboardingActivities>({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '1 day',
  retry: { initialInterval: '2 seconds', maximumInterval: '10 minutes' },
});

/**
 * Looks after one onboarding link (S3-55): reminders, warning and expiry at the minute, and the news for its creator.
 * Id `onboarding/<tenant>/<linkId>`.
 *
 * The row is the record, and whoever changes it says so; the workflow then looks again. Extending therefore re-arms
 * every timer and revoking ends them. Each deed is claimed by a conditional update, so that the sweep, a repetition
 * and a late timer do nothing twice.
 */
export async function onboardingLinkWorkflow(input: OnboardingLinkInput): Promise<OnboardingLinkResult> {
  let changes = 0;
  let link: OnboardingFacts | null = null;
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
    link = await local.attendOnboardingLink(input);
    if (link === null) return { status: 'missing' };
    setCurrentDetails(`**${link.status}** until ${link.expires_at}, ${link.reminder_count} reminders sent.`);
    for (const news of unsentNotifications(link)) await announce(news, link);
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

  async function act(kind: Exclude<OnboardingStep['kind'], 'end' | 'wait'>, facts: OnboardingFacts): Promise<void> {
    const moment = { ...input, at: Date.now() };
    switch (kind) {
      case 'expire':
        await local.expireOnboardingLink(moment);
        return;
      case 'warn':
        if (await local.claimOnboardingWarning(moment)) await announce('expiring', facts);
        return;
      case 'remind':
        if (await local.claimOnboardingReminder({ ...moment, reminder_count: facts.reminder_count })) {
          await outward.sendOnboardingReminder(input).catch(() => undefined);
        }
        return;
    }
  }

  async function announce(news: OnboardingNotification, { extended_count }: OnboardingFacts): Promise<void> {
    await outward.announceOnboardingLink({ ...input, news, extended_count });
  }
}
