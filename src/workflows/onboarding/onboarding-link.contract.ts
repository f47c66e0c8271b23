import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { OnboardingLinkState, OnboardingNotification, OnboardingStatus } from '../../domain/onboarding/onboarding.ts';
import { searchAttributes } from '../shared/search-attributes.ts';

/** Name under which the workflow is registered. */
export const onboardingLinkWorkflowType = 'onboardingLinkWorkflow';

/**
 * The link of a workflow. Ids only: personal data and the token must not get into its history, and times are read from the
 * row, where an extension changes them.
 */
export interface OnboardingLinkInput {
  tenant_id: string;
  link_id: string;
}

/** A step of a link at a time of the workflow's clock (milliseconds since the epoch). */
export interface TimedOnboardingLinkInput extends OnboardingLinkInput {
  at: number;
}

/** A reminder that is about to be sent, after `reminder_count` others. */
export interface OnboardingReminder extends TimedOnboardingLinkInput {
  reminder_count: number;
}

/** A notification of the creator of a link; `extended_count` distinguishes one expiry from the next. */
export interface OnboardingAnnouncement extends OnboardingLinkInput {
  news: OnboardingNotification;
  extended_count: number;
}

/**
 * The activities of the workflow; `src/activities/onboarding/onboarding.activities.ts`. Claims return whether this call made
 * them.
 */
export interface OnboardingActivities {
  /** Reads the link and records when its workflow has read it. Null: there is no such link. */
  attendOnboardingLink(input: OnboardingLinkInput): Promise<OnboardingLinkState | null>;
  /** Claims the expiry of a link that is past its end. */
  expireOnboardingLink(input: TimedOnboardingLinkInput): Promise<boolean>;
  /** Claims the warning that the link is about to expire. */
  claimOnboardingWarning(input: TimedOnboardingLinkInput): Promise<boolean>;
  /** Claims one reminder, before it is sent. */
  claimOnboardingReminder(input: OnboardingReminder): Promise<boolean>;
  /** Sends the reminder that was claimed. */
  sendOnboardingReminder(input: OnboardingLinkInput): Promise<void>;
  /** Notifies the creator; the same notification is delivered once. */
  announceOnboardingLink(input: OnboardingAnnouncement): Promise<void>;
}

/** How the workflow ended. */
export interface OnboardingLinkResult {
  status: OnboardingStatus | 'missing';
}

/** The row of the link has changed, so the workflow reads it again. */
export const onboardingChangedSignal = defineSignal('changed');
/** When the next step is due, RFC 3339; null while a step is running. */
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
    staticDetails: `Reminds, warns and expires the onboarding link \`${input.link_id}\`; its times are in its row.`,
  };
}
