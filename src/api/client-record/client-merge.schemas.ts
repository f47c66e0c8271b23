import { z } from 'zod';
import { auditActions, auditOutcomes } from '../../domain/audit/audit-entry.ts';
import { mergeFields } from '../../domain/client-record/client-merge.ts';
import { pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { cnpjInput, cpfInput } from '../../platform/document-numbers.ts';
import { rowVersion } from '../../platform/row-version-input.ts';
import { day, dayInput, email, phoneNumber, timestamp, timestampInput, uuid } from '../../platform/value-schemas.ts';
import { groupMarks, shownOfGroup } from '../../services/client-record/client-duplicate-groups.queries.ts';
import { duplicateMarks, shownMatches } from '../../services/client-record/client-duplicates.queries.ts';
import { clientFields } from '../../services/client-record/client.payload.ts';
import { clientView } from './client.schemas.ts';

/** Body of a search for duplicates. */
export const duplicateSearch = z
  .strictObject({
    name: clientFields.name.optional().describe('Compared with the birth date, without regard to case and accents'),
    birth_date: dayInput.optional().describe('Compared with the name'),
    email: email.optional(),
    phone_number: phoneNumber.optional(),
    cpf: cpfInput.optional(),
    cnpj: cnpjInput.optional(),
  })
  .refine(
    ({ name, birth_date, ...others }) => (name !== undefined && birth_date !== undefined) || Object.values(others).some((value) => value !== undefined),
    'Give a CPF, a CNPJ, an e-mail address, a phone number, or a name with a birth date.',
  )
  .meta({ id: 'ClientDuplicateSearch' });

/** Clients that match. */
export const duplicateMatches = z
  .object({
    matches: z.array(z.object({ client: clientView, matched_by: z.array(z.enum(duplicateMarks)) })).describe('The strongest first, deleted ones included'),
    has_more: z.boolean().describe(`True where more than ${shownMatches} match`),
  })
  .meta({ id: 'ClientDuplicates' });

/** Query of the groups. */
export const duplicateGroupsQuery = z.strictObject({ ...pageQuery, by: z.enum(groupMarks) });

/** Groups of clients that have a value in common. */
export const duplicateGroups = pageOf(
  z
    .object({
      shared: z
        .object({ phone_number: z.string().nullable(), email: z.string().nullable(), name: z.string().nullable(), birth_date: day.nullable() })
        .partial()
        .describe('What they have in common; the name as the first of them has it'),
      count: z.int(),
      clients: z.array(clientView).describe(`The ${shownOfGroup} oldest`),
    })
    .meta({ id: 'ClientDuplicateGroup' }),
).meta({ id: 'ClientDuplicateGroupPage' });

/** Body of a merge. */
export const clientMerging = z
  .strictObject({
    merged_id: uuid.describe('The client that is deleted by it'),
    merged_version: rowVersion,
    take: z
      .array(z.enum(mergeFields))
      .max(mergeFields.length)
      .refine((fields) => new Set(fields).size === fields.length, 'must name each field once')
      .default([])
      .describe('Fields in which the other value is the better one; those in which the client has nothing are filled in any case'),
  })
  .meta({ id: 'ClientMerging' });

/** A merge, as it is shown. */
export const clientMergeView = z
  .object({
    id: uuid,
    client_id: uuid.describe('The client that stays'),
    client_name: z.string(),
    merged_id: uuid.describe('The client that was deleted by it'),
    merged_name: z.string(),
    taken_fields: z.array(z.enum(mergeFields)),
    moved: z.record(z.string(), z.array(uuid)).describe('The ids of what referred to the merged client, by kind'),
    merged_by: uuid.nullable(),
    merged_by_name: z.string().nullable(),
    created_at: timestamp,
    undo_until: timestamp,
    is_undoable: z.boolean().describe('In time, not undone, and neither client was erased; a later merge has to be undone first'),
    undone_at: timestamp.nullable(),
    undone_by: uuid.nullable(),
    undone_by_name: z.string().nullable(),
    version: z.int(),
  })
  .meta({ id: 'ClientMerge' });

/** A merge with the two clients as they are after it, or after it was undone. */
export const clientMergeResult = z.object({ merge: clientMergeView, client: clientView, merged: clientView }).meta({ id: 'ClientMergeResult' });

/** Query of the list of merges. */
export const clientMergesQuery = z.strictObject({
  ...pageQuery,
  client_id: uuid.optional().describe('Either of the two'),
  undoable: z.stringbool().optional(),
});

/** A page of merges. */
export const clientMergePage = pageOf(clientMergeView).meta({ id: 'ClientMergePage' });

/** Query of a history. */
export const clientHistoryQuery = z.strictObject({
  ...pageQuery,
  from: timestampInput.optional().describe('At or after this time'),
  to: timestampInput.optional().describe('Before this time'),
  action: z.enum(auditActions).optional(),
});

/** A page of the history of a client. */
export const clientHistory = pageOf(
  z
    .object({
      id: uuid.describe('Of the audit entry'),
      seq: z.int().describe('Its place in the chain'),
      occurred_at: timestamp,
      event: z.string(),
      title: z.string().describe('The event in words'),
      action: z.enum(auditActions),
      resource_type: z.string(),
      resource_id: z.string().nullable().describe('The client, one that was merged into it, or the file that it came with'),
      outcome: z.enum(auditOutcomes),
      reason: z.string().nullable().describe('Problem code of a refusal or failure'),
      user_id: uuid.nullable(),
      user_name: z.string().nullable(),
      changes: z
        .array(z.object({ field: z.string(), before: z.unknown(), after: z.unknown() }))
        .describe('As the audit keeps them: numbers are `[redacted]`, or `[redacted, changed]`'),
      details: z.record(z.string(), z.unknown()).describe('What is no change, such as the reason of a reveal'),
      values_erased: z.boolean().describe('Its values were erased with the client'),
    })
    .meta({ id: 'ClientHistoryEntry' }),
).meta({ id: 'ClientHistoryPage' });
