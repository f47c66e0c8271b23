import { z } from 'zod';
import { timeZone, timestamp, uuid } from '../../platform/value-schemas.ts';
import { permissionNames } from './role.schemas.ts';

/** The signed-in person as it is shown. */
export const profileView = z
  .object({
    id: uuid,
    tenant_id: uuid,
    tenant_name: z.string(),
    email: z.string().nullable(),
    pending_email: z.string().nullable().describe('Entered by somebody else: POST /users/me/address/code confirms it'),
    phone_number: z.string().nullable(),
    full_name: z.string(),
    role: z.enum(['sysadmin', 'admin', 'user']),
    roles: z.array(z.string()),
    permissions: permissionNames,
    time_zone: z.string(),
    currency: z.string(),
    last_sign_in_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'Profile' });

/** How the person wants the product to behave. */
export const preferencesView = z
  .object({
    language: z.string(),
    theme: z.enum(['system', 'light', 'dark']),
    week_start: z.enum(['monday', 'saturday', 'sunday']),
    email_notifications: z.boolean(),
    time_zone: z.string().nullable().describe('Null: as the tenant'),
  })
  .meta({ id: 'Preferences' });

/** A change of preferences; what is left out stays. */
export const preferencesUpdate = z
  .strictObject({
    language: z.string().regex(/^[a-z]{2}(-[A-Z]{2})?$/, 'must be a language tag such as en or pt-BR').optional(),
    theme: z.enum(['system', 'light', 'dark']).optional(),
    week_start: z.enum(['monday', 'saturday', 'sunday']).optional(),
    email_notifications: z.boolean().optional(),
    time_zone: timeZone.nullable().optional(),
  })
  .meta({ id: 'PreferencesUpdate' });
