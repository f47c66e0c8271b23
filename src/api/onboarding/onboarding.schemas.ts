import { z } from 'zod';
import type { OnboardingRow } from '../../services/onboarding/onboarding-link.repository.ts';
import { onboardingAccessOutcomes } from '../../domain/onboarding/onboarding-access-outcome.ts';
import {
  defaultOnboardingTiming,
  effectiveOnboardingStatus,
  onboardingCapabilities,
  onboardingSettingsLimits,
  onboardingStatuses,
  openOnboardingStatuses,
} from '../../domain/onboarding/onboarding.ts';
import { email, lineText, passwordInput, personName, reasonText, timestamp, timestampInput, uuid } from '../../platform/value-schemas.ts';

const roleOfLink = z.object({ role_id: uuid, valid_until: timestamp.nullable() });

const timing = z.object({
  first_reminder_seconds: z.int(),
  reminder_interval_seconds: z.int(),
  max_reminders: z.int(),
  warning_seconds: z.int(),
});

/** Answers by question, as the pages of the onboarding name them. */
const answers = z.record(z.string().min(1).max(100), z.json());

/** A link in a list. */
export const OnboardingLinkItem = z
  .object({
    id: uuid,
    token_last4: z.string().describe('Last four characters of the token, to tell links apart'),
    recipient_name: z.string(),
    recipient_email: z.string().nullable(),
    purpose: z.string(),
    created_by: uuid,
    status: z.enum(onboardingStatuses),
    capabilities: z.array(z.enum(onboardingCapabilities)),
    expires_at: timestamp,
    progress_percent: z.int(),
    current_step: z.string().nullable(),
    access_count: z.int(),
    first_accessed_at: timestamp.nullable(),
    last_accessed_at: timestamp.nullable(),
    extended_count: z.int(),
    completed_at: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
  })
  .meta({ id: 'OnboardingLinkItem' });

/** A link with everything an administrator may see of it. */
export const OnboardingLinkBody = OnboardingLinkItem.extend({
  account: z.object({ roles: z.array(roleOfLink), campaign_ids: z.array(uuid) }).nullable(),
  timing,
  max_expires_at: timestamp,
  progress: z.record(z.string(), z.unknown()),
  last_ip: z.string().nullable(),
  last_user_agent: z.string().nullable(),
  revoked_at: timestamp.nullable(),
  revoked_by: uuid.nullable(),
  revoke_reason: z.string().nullable(),
  outcome: z
    .object({
      account: z.enum(['none', 'created', 'kept_back']),
      user_id: uuid.nullable(),
      roles_given: z.array(uuid),
      roles_waiting: z.array(roleOfLink),
      campaigns_joined: z.array(uuid),
    })
    .nullable(),
  reminder_count: z.int(),
  last_reminder_at: timestamp.nullable(),
  warned_at: timestamp.nullable(),
}).meta({ id: 'OnboardingLink' });

/** A link with the accesses to it, latest first. */
export const OnboardingLinkDetail = OnboardingLinkBody.extend({
  accesses: z.array(
    z.object({
      at: timestamp,
      ip: z.string().nullable(),
      user_agent: z.string().nullable(),
      outcome: z.enum(onboardingAccessOutcomes),
    }),
  ),
}).meta({ id: 'OnboardingLinkDetail' });

/** A new link; its address is shown this once. */
export const NewOnboardingLink = OnboardingLinkBody.extend({
  token: z.string().describe('Shown once; only its hash is stored'),
  url: z.url().describe('Address for the recipient'),
}).meta({ id: 'NewOnboardingLink' });

/** What the holder of a link sees. */
export const OnboardingView = z
  .object({
    recipient_name: z.string(),
    purpose: z.string(),
    status: z.enum(openOnboardingStatuses),
    capabilities: z.array(z.enum(onboardingCapabilities)).describe('Operations that this link allows'),
    password_required: z.boolean().describe('Completing needs a password, because the account has no other way in'),
    expires_at: timestamp,
    answers: z.record(z.string(), z.unknown()),
    progress_percent: z.int(),
    current_step: z.string().nullable(),
    version: z.int().describe('Send with the next save'),
  })
  .meta({ id: 'Onboarding' });

/** The end of an onboarding, alike for everybody who completes it again. */
export const OnboardingCompleted = z
  .object({
    status: z.literal('completed'),
    completed_at: timestamp,
    account: z.enum(['none', 'created', 'kept_back']),
  })
  .meta({ id: 'OnboardingCompleted' });

const day = 24 * 3600;
const stepSeconds = z
  .int()
  .min(onboardingSettingsLimits.minSeconds)
  .max(onboardingSettingsLimits.maxSeconds)
  .nullable()
  .default(null);

/** Body of a creation. */
export const linkCreation = z
  .strictObject({
    recipient_name: lineText(200),
    recipient_email: email.nullable().default(null).describe('Address for reminders and of the account'),
    purpose: lineText(200),
    life_seconds: stepSeconds.describe('Lifetime of the link; null for the default of the settings'),
    capabilities: z.array(z.enum(['save_progress', 'complete'])).max(2).default(['save_progress', 'complete']),
    account: z
      .strictObject({
        roles: z
          .array(z.strictObject({ role_id: uuid, valid_until: timestampInput.nullable().default(null) }))
          .max(20)
          .default([]),
        campaign_ids: z.array(uuid).max(50).default([]).describe('Campaigns whose pool the newcomer joins'),
      })
      .nullable()
      .default(null),
    timing: z
      .strictObject({
        first_reminder_seconds: z.int().min(60).max(90 * day).default(defaultOnboardingTiming.first_reminder_seconds),
        reminder_interval_seconds: z.int().min(60).max(90 * day).default(defaultOnboardingTiming.reminder_interval_seconds),
        max_reminders: z.int().min(0).max(20).default(defaultOnboardingTiming.max_reminders),
        warning_seconds: z.int().min(60).max(30 * day).default(defaultOnboardingTiming.warning_seconds),
      })
      .prefault({}),
  })
  .refine(({ account, recipient_email }) => account === null || recipient_email !== null, {
    message: 'An account needs an e-mail address.',
    path: ['recipient_email'],
  })
  .meta({ id: 'OnboardingLinkCreation' });

/** Body of an extension. */
export const linkExtension = z
  .strictObject({ extend_seconds: stepSeconds.describe('Time to add; null for the default of the settings') })
  .prefault({})
  .meta({ id: 'OnboardingLinkExtension' });

/** Body of a revocation. */
export const linkRevocation = z.strictObject({ reason: reasonText.nullable().default(null) }).prefault({});

const version = z.int().min(1);

/** Body of a save by the holder. */
export const progressUpdate = z
  .strictObject({
    version: version.describe('The version that was read last'),
    answers: answers.default({}),
    progress_percent: z.int().min(0).max(100).optional(),
    current_step: lineText(100).nullable().optional(),
  })
  .meta({ id: 'OnboardingProgress' });

/** Body of a completion by the holder. */
export const onboardingCompletion = z
  .strictObject({
    version: version.nullable().default(null).describe('If given, it must still be the current version'),
    answers: answers.default({}),
    full_name: personName.nullable().default(null).describe('Name of the account'),
    password: passwordInput.nullable().default(null).describe('Password of the account, if the link creates one'),
  })
  .prefault({})
  .meta({ id: 'OnboardingCompletion' });

const seconds = z.int().min(onboardingSettingsLimits.minSeconds).max(onboardingSettingsLimits.maxSeconds);
const limits = {
  default_life_seconds: seconds.describe('Default lifetime of a link and default length of an extension'),
  max_step_seconds: seconds.describe('Maximum time that a link is given at once'),
  max_life_seconds: seconds.describe('Maximum time from the creation of a link to its last expiry'),
};

/** How long links of a tenant live. */
export const OnboardingSettingsBody = z.object(limits).meta({ id: 'OnboardingSettings' });

/** Body of a change; what is left out stays. */
export const settingsUpdate = z.strictObject(limits).partial().meta({ id: 'OnboardingSettingsUpdate' });

/** Answers with a link and its effective status, whatever is stored (S3-55). @param now milliseconds since the epoch */
export function presentOnboardingLink(row: OnboardingRow, now: number) {
  return { ...row, status: effectiveOnboardingStatus(row, now) };
}

/**
 * Answers with a link as its holder sees it.
 *
 * @param context `now` in milliseconds since the epoch; `isOpening` false for a look that does not open the link; `needsPassword`
 *   for an account of its tenant.
 */
export function presentOnboarding(
  row: Pick<
    OnboardingRow,
    'recipient_name' | 'purpose' | 'status' | 'capabilities' | 'expires_at' | 'progress' | 'progress_percent' | 'current_step' | 'version'
  >,
  { now, isOpening = true, needsPassword }: { readonly now: number; readonly isOpening?: boolean; readonly needsPassword: boolean },
) {
  const { progress, ...view } = row;
  // The holder is opening it now, whether or not an access is recorded in the row already.
  const status = effectiveOnboardingStatus({ ...row, first_accessed_at: isOpening ? row.expires_at : null }, now);
  return { ...view, status, answers: progress, password_required: needsPassword && row.capabilities.includes('create_account') };
}
