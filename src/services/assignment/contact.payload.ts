import { z } from 'zod';
import { email, writtenPhoneNumber } from '../../platform/value-schemas.ts';

/** The fields of a contact that people write, without defaults; in a JSON body as in a row of a file. */
export const contactFields = {
  name: z.string().trim().min(1).max(200),
  email: email.nullable(),
  phone_number: writtenPhoneNumber(z.string().trim().min(4)).nullable(),
  company: z.string().trim().min(1).max(200).nullable(),
  source: z.string().trim().min(1).max(100).nullable().describe('Where the contact came from, e.g. fair-2026'),
  notes: z.string().trim().min(1).max(5000).nullable(),
};

/** A new contact; what is left out is null. */
export const contactCreation = z
  .strictObject({
    name: contactFields.name,
    email: contactFields.email.default(null),
    phone_number: contactFields.phone_number.default(null),
    company: contactFields.company.default(null),
    source: contactFields.source.default(null),
    notes: contactFields.notes.default(null),
  })
  .meta({ id: 'ContactCreation' });
