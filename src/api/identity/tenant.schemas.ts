import { z } from 'zod';
import { countryCode, currencyCode, email, lineText, passwordInput, personName, phoneNumber, timeZone, timestamp, uuid } from '../../platform/value-schemas.ts';

const settings = {
  name: lineText(200),
  country: countryCode,
  currency: currencyCode,
  time_zone: timeZone,
  id_document_type: z.enum(['none', 'cpf', 'pan']),
};

const domain = z
  .string()
  .max(253)
  .toLowerCase()
  .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/, 'must be a domain name');

/** A tenant as it is shown. */
export const tenantView = z
  .object({
    id: uuid,
    ...settings,
    country: z.string(),
    currency: z.string(),
    time_zone: z.string(),
    domain: z.string(),
    status: z.enum(['active', 'suspended']),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.number().int(),
  })
  .meta({ id: 'Tenant' });

/** A change of the own tenant; what is left out stays. */
export const tenantUpdate = z
  .strictObject(settings)
  .partial()
  .refine((body) => Object.keys(body).length > 0, { message: 'Change something.' })
  .meta({ id: 'TenantUpdate' });

/** A new tenant with its first administrators. */
export const tenantCreation = z
  .strictObject({
    name: settings.name,
    domain,
    country: settings.country.default('IN'),
    currency: settings.currency.default('INR'),
    time_zone: settings.time_zone.default('UTC'),
    id_document_type: settings.id_document_type.default('none'),
    administrators: z
      .array(z.strictObject({ full_name: personName, email }))
      .min(1)
      .max(5)
      .refine((people) => new Set(people.map((person) => person.email)).size === people.length, { message: 'Name each person once.' })
      .optional()
      .describe('Each gets a one-time link by mail. Name two, so that one can approve what the other asks for'),
    super_admin: z
      .strictObject({ full_name: personName, email, phone_number: phoneNumber.nullable().default(null), password: passwordInput })
      .optional()
      .describe('Instead of `administrators`: one person with a first password that whoever makes the tenant knows'),
  })
  .refine((body) => (body.administrators === undefined) !== (body.super_admin === undefined), {
    message: 'Give either administrators or super_admin.',
    path: ['administrators'],
  })
  .meta({ id: 'TenantCreation' });

/** What creating a tenant has made. */
export const tenantCreated = z
  .object({
    id: uuid,
    super_admin_id: uuid.nullable().describe('Null where administrators were named, who get a link first'),
    naming_ids: z.array(uuid).describe('Of the administrators, in their order; see GET /tenants/{id}/administrators'),
  })
  .meta({ id: 'TenantCreated' });
