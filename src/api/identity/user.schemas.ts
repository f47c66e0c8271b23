import { z } from 'zod';
import {
  email,
  passwordInput,
  personName,
  profileText,
  phoneNumber,
  reasonText,
  timeZone,
  timestamp,
  timestampInput,
  uuid,
} from '../../platform/value-schemas.ts';

/** A role that a person holds now, as part of the person. */
const heldRole = z
  .object({
    assignment_id: uuid,
    role_id: uuid,
    code: z.string(),
    name: z.string(),
    valid_until: timestamp.nullable().describe('When it ends automatically, by its end or its review'),
  })
  .meta({ id: 'HeldRole' });

/** An account with its portal profile and roles: the superset of all users' fields (X-4). */
export const userView = z
  .object({
    id: uuid,
    tenant_id: uuid,
    email: z.string().nullable(),
    pending_email: z.string().nullable().describe('Entered by somebody else; counts once its owner has confirmed it'),
    phone_number: z.string().nullable(),
    decisions_count_from: timestamp.nullable().describe('For somebody who was named from outside: decisions count from then'),
    full_name: z.string(),
    role: z.enum(['sysadmin', 'admin', 'user']).describe('Coarse role, derived from the roles held'),
    roles: z.array(heldRole),
    status: z.enum(['active', 'inactive', 'deleted']),
    is_active: z.boolean(),
    time_zone: z.string().nullable(),
    sign_in_requires_totp: z.boolean(),
    job_title: z.string().nullable(),
    department: z.string().nullable(),
    notes: z.string().nullable(),
    campaign_count: z.number().int(),
    contact_count: z.number().int(),
    last_sign_in_at: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    deleted_at: timestamp.nullable(),
    version: z.number().int(),
  })
  .meta({ id: 'User' });

/** What an administrator may change of an account. */
const accountFields = {
  full_name: personName,
  email: email.nullable().optional(),
  phone_number: phoneNumber.nullable().optional(),
  time_zone: timeZone.nullable().optional(),
  job_title: profileText.nullable().optional(),
  department: profileText.nullable().optional(),
  notes: z.string().max(2000).nullable().optional(),
};

/** A role to assign; times are RFC 3339. */
export const roleGrant = z
  .strictObject({
    role_id: uuid,
    valid_until: timestampInput.nullable().default(null).describe('When the role ends automatically'),
    review_due_at: timestampInput.nullable().default(null).describe('When the role lapses unless it is confirmed'),
    reason: reasonText.nullable().default(null),
  })
  .refine(({ valid_until }) => valid_until === null || Date.parse(valid_until) > Date.now(), {
    message: 'must be in the future',
    path: ['valid_until'],
  })
  .refine(({ review_due_at }) => review_due_at === null || Date.parse(review_due_at) > Date.now(), {
    message: 'must be in the future',
    path: ['review_due_at'],
  })
  .meta({ id: 'RoleGrant' });

/** A new account. */
export const userCreation = z
  .strictObject({
    ...accountFields,
    password: passwordInput.optional().describe('Initial password'),
    roles: z.array(roleGrant).max(20).default([]),
  })
  .refine((body) => (body.email ?? body.phone_number ?? null) !== null, {
    message: 'Give an e-mail address, a phone number or both.',
    path: ['email'],
  })
  .meta({ id: 'UserCreation' });

/** A change of an account; what is left out stays. */
export const userChange = z
  .strictObject({
    ...accountFields,
    full_name: accountFields.full_name.optional(),
    status: z.enum(['active', 'inactive']).optional(),
  })
  .refine((body) => Object.keys(body).length > 0, { message: 'Change something.' })
  .meta({ id: 'UserUpdate' });
