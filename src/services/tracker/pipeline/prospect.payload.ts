import { z } from 'zod';
import { currencyCode, email, lineText, timestampInput, writtenPhoneNumber } from '../../../platform/value-schemas.ts';

/** The fields of a prospect that people write; in a JSON body as in a row of a file. */
export const prospectFields = {
  name: lineText(255),
  company: z.string().max(255).nullable(),
  email: email.nullable(),
  phone: writtenPhoneNumber(z.string()).nullable(),
  source: z.string().max(100).nullable(),
  value_minor: z.int().min(0).max(1_000_000_000_000).nullable(),
  currency: currencyCode.nullable(),
  probability: z.int().min(0).max(100).describe('Chance of winning, in percent'),
  next_activity_at: timestampInput.nullable(),
};

/** A new prospect, without its stage: a body names it by its id, a file by its name. */
export const prospectCreation = z
  .strictObject(prospectFields)
  .partial()
  .extend({ name: prospectFields.name })
  .refine(({ value_minor, currency }) => value_minor == null || currency != null, {
    path: ['currency'],
    message: 'must be given with value_minor',
  });
