import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies } from '../shared/tenant-columns.ts';

/** What a one-time link to an account is for. */
export const accountLinkPurposes = ['first_administrator', 'administrator_recovery'] as const;
/** One of {@link accountLinkPurposes}. */
export type AccountLinkPurpose = (typeof accountLinkPurposes)[number];

/**
 * A one-time link by which its holder chooses the password of an account and enrols a second factor (T-36). It is open until
 * it was used, was revoked, or has expired; an account has one open link at most.
 */
export const AccountLinkEntity = defineEntity({
  name: 'AccountLink',
  tableName: 'account_links',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    user_id: p.uuid(),
    purpose: p.text().$type<AccountLinkPurpose>(),
    /** SHA-256 of the token. */
    token_hash: p.blob().hidden(),
    /** The secret of the enrolment under way; null before the link was opened and after its end. */
    totp_secret_ciphertext: p.text().nullable().hidden(),
    expires_at: timestamp(),
    /** When it was opened last. */
    opened_at: timestamp().nullable(),
    used_at: timestamp().nullable(),
    revoked_at: timestamp().nullable(),
  },
});
