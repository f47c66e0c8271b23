import { z } from 'zod';
import { clientKinds } from '../../domain/client-record/client.ts';
import { uuid } from '../../platform/value-schemas.ts';
import { clientFields } from './client.payload.ts';

/** What a client is made of. */
export const conversionSource = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('contact'), id: uuid }),
  z.strictObject({ type: z.literal('prospect'), id: z.int().min(1).max(2_147_483_647) }),
]);
export type ConversionSource = z.output<typeof conversionSource>;

/** A client made of a contact or a prospect; name, e-mail and phone are theirs where the body says nothing else. */
export const clientConversion = z
  .strictObject({
    source: conversionSource,
    kind: z.enum(clientKinds).default('person').describe('A company has the name of the company of its source, where it has one'),
    name: clientFields.name.optional(),
    cpf: clientFields.cpf.default(null),
    cnpj: clientFields.cnpj.default(null),
    birth_date: clientFields.birth_date.default(null),
    email: clientFields.email.optional(),
    phone_number: clientFields.phone_number.optional(),
    address: clientFields.address.default(null),
  })
  .meta({ id: 'ClientConversion' });
export type ClientConversion = z.output<typeof clientConversion>;
