import { z } from 'zod';
import { clientKinds } from '../../domain/client-record/client.ts';
import { pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { cnpjInput, cpfInput } from '../../platform/document-numbers.ts';
import { day, email, lineText, phoneNumber, reasonText, timestamp, timestampInput, uuid } from '../../platform/value-schemas.ts';
import { clientAddress } from '../../services/client-record/client.payload.ts';
import { clientSorts, countedAtMost } from '../../services/client-record/client.queries.ts';

/** A client record as lists and details show it. */
export const clientView = z
  .object({
    id: uuid,
    kind: z.enum(clientKinds),
    name: z.string(),
    cpf: z.string().nullable().describe('Masked: `***.456.789-**`'),
    cnpj: z.string().nullable().describe('Fourteen characters'),
    birth_date: day.nullable(),
    email: z.string().nullable(),
    phone_number: z.string().nullable(),
    address: clientAddress.nullable(),
    contact_id: uuid.nullable().describe('The contact that it was made of'),
    prospect_id: z.number().int().nullable().describe('The prospect that it was made of'),
    merged_into_id: uuid.nullable().describe('The client that it was merged into'),
    created_by: uuid.nullable(),
    created_by_name: z.string().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    deleted_at: timestamp.nullable(),
    erased_at: timestamp.nullable(),
    is_active: z.boolean().describe('Not deleted'),
    version: z.number().int(),
  })
  .meta({ id: 'Client' });

/** A page of clients. */
export const clientPage = pageOf(clientView)
  .extend({
    total: z
      .object({ count: z.number().int(), is_exact: z.boolean().describe(`False where there are more than ${countedAtMost}`) })
      .optional()
      .describe('Clients that match, on all pages; where `count` was asked for'),
  })
  .meta({ id: 'ClientPage' });

const listFields = {
  kind: z.enum(clientKinds).optional(),
  state: z.enum(['active', 'deleted']).default('active'),
  created_by: uuid.optional(),
  created_from: timestampInput.optional().describe('Created at or after this time'),
  created_to: timestampInput.optional().describe('Created before this time'),
  sort: z.enum(clientSorts).optional().describe('Default `newest`; a search has the order of the words found, then of the names'),
};

/** What in an address would stand in the logs of every server on the way: a number, in the digits of any script, or an e-mail address. */
const isName = (text: string) => text.replaceAll(/\P{Nd}/gu, '').length < 6 && !/\S@\S+\.\S/.test(text.normalize('NFKC'));

const nameWords = lineText(100).describe('Beginnings of words of the name, in any order, without regard to case and accents');

/** Query of the list. */
export const clientListQuery = z
  .strictObject({
    ...pageQuery,
    q: nameWords
      .refine(isName, 'Names are looked for here. Send a CPF, a CNPJ, a phone number or an e-mail address in the body of POST /api/v1/clients/search.')
      .optional(),
    ...listFields,
    count: z.stringbool().default(false).describe('Count what matches'),
  })
  .refine(({ q, sort }) => q === undefined || sort === undefined, { message: 'goes without q', path: ['sort'] });

/** Body of a search, for what must not stand in an address. */
export const clientSearchBody = z
  .strictObject({
    limit: z.int().min(1).max(100).default(20),
    cursor: pageQuery.cursor,
    q: nameWords.optional(),
    ...listFields,
    cpf: cpfInput.optional().describe('The whole number'),
    cnpj: cnpjInput.optional().describe('The whole number'),
    email: email.optional(),
    phone_number: phoneNumber.optional(),
    birth_date: day.optional(),
    count: z.boolean().default(false).describe('Count what matches'),
  })
  .refine(({ q, sort }) => q === undefined || sort === undefined, { message: 'goes without q', path: ['sort'] })
  .meta({ id: 'ClientSearch' });

/** Body of a reveal. */
export const clientReveal = z.strictObject({ reason: reasonText }).meta({ id: 'ClientReveal' });

/** The full number, for this answer. */
export const revealedCpf = z
  .object({ id: uuid, cpf: z.string().describe('Eleven digits'), written: z.string().describe('As 000.000.000-00') })
  .meta({ id: 'RevealedCpf' });
