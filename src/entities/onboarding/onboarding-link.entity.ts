import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { OnboardingCapability, OnboardingStatus, OnboardingTiming } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingAccount, OnboardingOutcome } from '../../domain/onboarding/onboarding-account.ts';
import type { OnboardingAccessOutcome } from '../../domain/onboarding/onboarding-access-outcome.ts';
import { jsonb, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

const mayManage = "(select current_setting('app.onboarding_access', true)) = 'manage'";

/** The tenant's isolation, full access for a transaction that manages links, and the creator's own links (S3-46). */
const onboardingPolicies = [
  ...tenantPolicies.filter(({ type }) => type === 'restrictive'),
  { name: 'manager_access', type: 'permissive' as const, roles: ['castellan_app'], using: mayManage, check: mayManage },
  {
    name: 'creator_reads_own',
    type: 'permissive' as const,
    command: 'select' as const,
    roles: ['castellan_app'],
    using: "created_by = (select nullif(current_setting('app.user_id', true), '')::uuid)",
  },
];

/** A link that leads a newcomer through onboarding (S3-44). Only its holder knows the token. */
export const OnboardingLinkEntity = defineEntity({
  name: 'OnboardingLink',
  tableName: 'onboarding_link',
  rowLevelSecurity: 'force',
  policies: onboardingPolicies,
  properties: {
    ...tenantColumns,
    /** SHA-256 of the token. */
    token_hash: p.blob(),
    token_last4: p.string().columnType('char(4)'),
    recipient_name: p.text(),
    recipient_email: p.text().nullable(),
    purpose: p.text(),
    created_by: p.uuid(),
    status: p.text().default('pending').$type<OnboardingStatus>(),
    capabilities: p.array().$type<OnboardingCapability[]>(),
    /** The account that completing creates; null: none. */
    account: jsonb<OnboardingAccount>().nullable(),
    timing: jsonb<OnboardingTiming>(),
    expires_at: timestamp(),
    /** Latest end to which the link can be extended. */
    max_expires_at: timestamp(),
    progress: jsonb<JsonObject>().defaultRaw("'{}'"),
    progress_percent: p.integer().default(0),
    current_step: p.text().nullable(),
    access_count: p.integer().default(0),
    first_accessed_at: timestamp().nullable(),
    last_accessed_at: timestamp().nullable(),
    last_ip: p.text().nullable(),
    last_user_agent: p.text().nullable(),
    extended_count: p.integer().default(0),
    revoked_at: timestamp().nullable(),
    revoked_by: p.uuid().nullable(),
    revoke_reason: p.text().nullable(),
    completed_at: timestamp().nullable(),
    /** The outcome of the completion; null before it. */
    outcome: jsonb<OnboardingOutcome>().nullable(),
    reminder_count: p.integer().default(0),
    last_reminder_at: timestamp().nullable(),
    /** When the creator was warned that the link expires at `expires_at`. */
    warned_at: timestamp().nullable(),
    /** Keys of the notifications that the creator has got. */
    announced: p.array().defaultRaw("'{}'"),
    /** When the workflow has read the row last; if the row has changed since, the sweep signals the workflow. */
    attended_at: timestamp().nullable(),
    /** `version` counts the saved states of the progress. */
    ...versionedColumns,
  },
});

/** One access to a link, allowed or refused (S3-56). Rows are appended and never changed. */
export const OnboardingLinkAccessEntity = defineEntity({
  name: 'OnboardingLinkAccess',
  tableName: 'onboarding_link_access',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    link_id: p.uuid(),
    ip: p.text().nullable(),
    user_agent: p.text().nullable(),
    outcome: p.text().$type<OnboardingAccessOutcome>(),
  },
});
