import { z } from 'zod';
import { onboardingColumns } from '../../services/onboarding/onboarding-link.repository.ts';
import type { OnboardingRow } from '../../services/onboarding/onboarding-link.repository.ts';
import { onboardingAccessOutcomes } from '../../domain/onboarding/onboarding-access-outcome.ts';
import {
  onboardingCapabilities,
  onboardingStatuses,
  openOnboardingStatuses,
  shownOnboardingStatus,
} from '../../domain/onboarding/onboarding.ts';
import { query } from '../../entities/kysely-schema.ts';
import { timestamp } from '../../platform/value-schemas.ts';

const roleOfLink = z.object({ role_id: z.uuid(), valid_until: timestamp.nullable() });

const timing = z.object({
  first_reminder_seconds: z.int(),
  reminder_interval_seconds: z.int(),
  max_reminders: z.int(),
  warning_seconds: z.int(),
});

/** Answers by question, as the pages of the onboarding name them. */
export const answers = z.record(z.string().min(1).max(100), z.json());

/** A link as a list shows it. */
export const OnboardingLinkItem = z
  .object({
    id: z.uuid(),
    token_last4: z.string().describe('Last four characters of the token, to tell links apart'),
    recipient_name: z.string(),
    recipient_email: z.string().nullable(),
    purpose: z.string(),
    created_by: z.uuid(),
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
  account: z.object({ roles: z.array(roleOfLink), campaign_ids: z.array(z.uuid()) }).nullable(),
  timing,
  max_expires_at: timestamp,
  progress: z.record(z.string(), z.unknown()),
  last_ip: z.string().nullable(),
  last_user_agent: z.string().nullable(),
  revoked_at: timestamp.nullable(),
  revoked_by: z.uuid().nullable(),
  revoke_reason: z.string().nullable(),
  outcome: z
    .object({
      account: z.enum(['none', 'created', 'kept_back']),
      user_id: z.uuid().nullable(),
      roles_given: z.array(z.uuid()),
      roles_waiting: z.array(roleOfLink),
      campaigns_joined: z.array(z.uuid()),
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
  token: z.string().describe('Shown once; only its hash is kept'),
  url: z.url().describe('What the recipient opens'),
}).meta({ id: 'NewOnboardingLink' });

/** What the holder of a link sees. */
export const OnboardingView = z
  .object({
    recipient_name: z.string(),
    purpose: z.string(),
    status: z.enum(openOnboardingStatuses),
    capabilities: z.array(z.enum(onboardingCapabilities)).describe('What this link may do'),
    expires_at: timestamp,
    answers: z.record(z.string(), z.unknown()),
    progress_percent: z.int(),
    current_step: z.string().nullable(),
    version: z.int().describe('Goes into the next save'),
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

/** Links of the tenant; which of them a caller sees is decided by the policies of the table. */
export const onboardingLinksQuery = () => query.selectFrom('onboarding_link').select(onboardingColumns);

/** Shows the status as it is at this moment, whatever has been written down yet (S3-55). */
export function presentOnboardingLink(row: OnboardingRow, now: number) {
  return { ...row, status: shownOnboardingStatus(row, now) };
}

/** Shows a link to its holder. */
export function presentOnboarding(
  row: Pick<
    OnboardingRow,
    'recipient_name' | 'purpose' | 'status' | 'capabilities' | 'expires_at' | 'progress' | 'progress_percent' | 'current_step' | 'version'
  >,
  now: number,
) {
  const { progress, ...shown } = row;
  // Whoever is shown it has opened it.
  const status = shownOnboardingStatus({ ...row, first_accessed_at: row.expires_at }, now);
  return { ...shown, status, answers: progress };
}
