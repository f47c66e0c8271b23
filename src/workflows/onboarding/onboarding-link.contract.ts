import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { OnboardingFacts, OnboardingNotification, OnboardingStatus } from '../../domain/onboarding/onboarding.ts';
import { searchAttributes } from '../shared/search-attributes.ts';

/** Name under which the workflow is registered. */
export const onboardingLinkWorkflowType = 'onboardingLinkWorkflow';

/**
 * Which link is looked after. Ids only: name, address and token of a newcomer are no business of the workflow, and its
 * times stand in the row, where an extension changes them.
 */
export interface OnboardingLinkInput {
  tenant_id: string;
  link_id: string;
}

/** One look at a link, or one step in its life, at the workflow's own time (milliseconds since the epoch). */
export interface OnboardingMoment extends OnboardingLinkInput {
  at: number;
}

/** A reminder that is about to go out: the one after `reminder_count` others. */
export interface OnboardingReminder extends OnboardingMoment {
  reminder_count: number;
}

/** A piece of news for the creator of a link; `extended_count` tells one expiry from the next. */
export interface OnboardingAnnouncement extends OnboardingLinkInput {
  news: OnboardingNotification;
  extended_count: number;
}

/** The hands of the workflow; `src/activities/onboarding/onboarding.activities.ts`. Claims answer whether this call made them. */
export interface OnboardingActivities {
  /** Reads the link and notes that its workflow has seen it as it is. Null: there is no such link. */
  attendOnboardingLink(input: OnboardingLinkInput): Promise<OnboardingFacts | null>;
  /** Claims the expiry of a link whose time is over. */
  expireOnboardingLink(input: OnboardingMoment): Promise<boolean>;
  /** Claims the warning of the present end. */
  claimOnboardingWarning(input: OnboardingMoment): Promise<boolean>;
  /** Claims one reminder, before it is sent. */
  claimOnboardingReminder(input: OnboardingReminder): Promise<boolean>;
  /** Sends the reminder that was claimed. */
  sendOnboardingReminder(input: OnboardingLinkInput): Promise<void>;
  /** Tells the creator; the same news again reaches nobody. */
  announceOnboardingLink(input: OnboardingAnnouncement): Promise<void>;
}

/** How the workflow ended. */
export interface OnboardingLinkResult {
  status: OnboardingStatus | 'missing';
}

/** Says that the row has changed: look again. */
export const onboardingChangedSignal = defineSignal('changed');
/** What the workflow waits for, RFC 3339; null while it acts. */
export const onboardingNextQuery = defineQuery<{ status: OnboardingStatus | null; next_at: string | null }>('next');

/** Id of a link's workflow. */
export function onboardingLinkWorkflowId({ tenant_id, link_id }: OnboardingLinkInput): string {
  return `onboarding/${tenant_id}/${link_id}`;
}

/** Everything but the task queue that a start together with the signal needs. */
export function onboardingLinkStartOptions(input: OnboardingLinkInput) {
  return {
    workflowId: onboardingLinkWorkflowId(input),
    args: [input] as [OnboardingLinkInput],
    signal: onboardingChangedSignal,
    signalArgs: [] as [],
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: input.tenant_id }]),
    staticSummary: `Onboarding link ${input.link_id}`,
    staticDetails: `Reminds, warns and expires the onboarding link \`${input.link_id}\`; its times stand in its row.`,
  };
}
