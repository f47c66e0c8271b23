import { z } from 'zod';
import { email, lineText, proseText, writtenPhoneNumber } from '../../platform/value-schemas.ts';

/** The fields of a contact that people write, without defaults; in a JSON body as in a row of a file. */
export const contactFields = {
  name: lineText(200),
  email: email.nullable(),
  phone_number: writtenPhoneNumber(z.string().trim().min(4)).nullable(),
  company: lineText(200).nullable(),
  source: lineText(100).nullable().describe('Where the contact came from, e.g. fair-2026'),
  notes: proseText(5000).nullable(),
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
