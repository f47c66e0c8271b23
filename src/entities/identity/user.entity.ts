import type { Opt } from '@mikro-orm/postgresql';
import type { CoarseRole } from '../../domain/identity/system-roles.ts';
import { reference, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

export type UserStatus = 'active' | 'inactive' | 'deleted';

/** A person of a tenant; the one table of users for all parts of the product. Deleting is a status (S2-72). */
export const UserEntity = defineEntity({
  name: 'User',
  tableName: 'users',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    email: p.text().nullable(),
    phone_number: p.text().nullable(),
    password_hash: p.text().nullable().hidden().lazy(),
    full_name: p.text(),
    role: p.text().default('user').$type<CoarseRole>(),
    status: p.text().default('active').$type<UserStatus>(),
    /** Computed by the database, so that no insert names it. */
    is_active: p.boolean().generated("(status = 'active'::text) stored").$type<Opt<boolean>>(),
    time_zone: p.text().nullable(),
    sign_in_requires_totp: p.boolean().default(false),
    last_sign_in_at: timestamp().nullable(),
    password_changed_at: timestamp().nullable(),
    /** From when the decisions of somebody who was named from outside count; null for everybody else (R12). */
    decisions_count_from: timestamp().nullable(),
    /** An address that somebody else has entered and its owner has not confirmed yet. */
    pending_email: p.text().nullable(),
    /** Keyed fingerprint of the code that was mailed to it last. */
    pending_email_code: p.text().nullable().hidden(),
    pending_email_attempts: p.integer().default(0),
    pending_email_expires_at: timestamp().nullable(),
    ...versionedColumns,
    deleted_at: timestamp().nullable(),
  },
});

/** Who was active when. Written by a trigger on `users`; the application only reads it. */
export const UserStatusHistoryEntity = defineEntity({
  name: 'UserStatusHistory',
  tableName: 'user_status_history',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    user_id: p.uuid(),
    status: p.text().$type<UserStatus>(),
    changed_by: p.uuid().nullable(),
  },
});

/** The portal profile of a member of staff (S2-46, X-6). */
export const AdminUserEntity = defineEntity({
  name: 'AdminUser',
  tableName: 'admin_users',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    user_id: reference(UserEntity, 'user_id'),
    job_title: p.text().nullable(),
    department: p.text().nullable(),
    notes: p.text().nullable(),
    ...versionedColumns,
  },
});

/** How a person wants the product to behave (S1-32). */
export const UserPreferencesEntity = defineEntity({
  name: 'UserPreferences',
  tableName: 'user_preferences',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    user_id: reference(UserEntity, 'user_id'),
    language: p.text().default('en'),
    theme: p.text().default('system').$type<'system' | 'light' | 'dark'>(),
    week_start: p.text().default('monday').$type<'monday' | 'saturday' | 'sunday'>(),
    email_notifications: p.boolean().default(true),
    ...versionedColumns,
  },
});

/** An account at an external identity provider that signs this person in. */
export const UserIdentityEntity = defineEntity({
  name: 'UserIdentity',
  tableName: 'user_identities',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: { ...tenantColumns, user_id: reference(UserEntity, 'user_id'), issuer: p.text(), subject: p.text() },
});
