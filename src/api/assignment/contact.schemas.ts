import { z } from 'zod';
import { timestamp, uuid } from '../../platform/value-schemas.ts';
import { contactFields } from '../../services/assignment/contact.payload.ts';

/** A contact. */
export const contactView = z
  .object({
    id: uuid,
    name: z.string(),
    email: z.string().nullable(),
    phone_number: z.string().nullable(),
    company: z.string().nullable(),
    source: z.string().nullable(),
    notes: z.string().nullable(),
    user_id: uuid.nullable().describe('Owner, if the caller may see assignments'),
    is_waiting: z.boolean().describe('Waits in a queue for a member with free capacity'),
    created_by: uuid.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.number().int(),
  })
  .meta({ id: 'Contact' });

/** Body of a change; what is left out stays. */
export const contactUpdate = z.strictObject(contactFields).partial().meta({ id: 'ContactUpdate' });

/** Body of an import. */
export const contactCsv = z.strictObject({ csv: z.string().min(1).max(1_000_000) }).meta({ id: 'ContactCsv' });

/** What an import has done. */
export const contactImportView = z
  .object({
    created: z.number().int().describe('Contacts that were added'),
    duplicates: z.array(z.number().int()).describe('Lines whose e-mail address belongs to an existing contact'),
    contact_ids: z.array(uuid).describe('The new contacts, in the order of the file'),
  })
  .meta({ id: 'ContactImport' });
