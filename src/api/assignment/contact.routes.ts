import { parse } from 'csv-parse/sync';
import { sql } from 'kysely';
import { z } from 'zod';
import { createContact as insertContact, importContacts as insertContacts, updateContact as saveContact } from '../../services/assignment/contact.service.ts';
import { contactDelete } from '../../services/assignment/contact-delete.action.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { contactCsvColumns, readContactCsvRow } from '../../domain/assignment/assignment-contact-csv.ts';
import type { ContactCsvColumn, ContactCsvRow } from '../../domain/assignment/assignment-contact-csv.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { notFound } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { contactView, contactsQuery, explainedAssignmentView } from './assignment.schemas.ts';
import { readAssignments } from '../../services/assignment/assignment.client.ts';
import type { ApiDeps } from '../deps.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { newestFirst, newestPage, pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { email } from '../../platform/value-schemas.ts';
import { contactAssignmentsQuery, explain } from '../../services/assignment/contact-assignment.queries.ts';

const contactsPath = '/api/admin/contacts';
const contactPath = `${contactsPath}/:contact_id`;
const contactParams = z.object({ contact_id: z.uuid() });

const fields = {
  name: z.string().trim().min(1).max(200),
  email: email.nullable(),
  phone_number: z.string().trim().min(4).max(32).nullable(),
  company: z.string().trim().min(1).max(200).nullable(),
  source: z.string().trim().min(1).max(100).nullable().describe('Where the contact came from, e.g. fair-2026'),
  notes: z.string().trim().min(1).max(5000).nullable(),
};

/** Owners are shown to those who may see assignments; others see their own contacts marked and no more. */
function readContacts<Row>(
  deps: ApiDeps,
  actor: Actor,
  statement: Parameters<typeof readAssignments<Row>>[2],
): Promise<Row[]> {
  return actor.permissions.includes('assignment:read')
    ? readAssignments(deps, actor, statement)
    : read(deps.db, actor, statement);
}

async function showContact(deps: ApiDeps, actor: Actor, id: string, status = 200, headers: Record<string, string> = {}) {
  const [row] = await readContacts(deps, actor, contactsQuery().where('c.id', '=', id));
  if (row === undefined) throw notFound('contact');
  return reply(status, row, { etag: versionEtag(row.version), ...headers });
}

const getContacts = route({
  operationId: 'getContacts',
  method: 'get',
  path: contactsPath,
  tag: 'contact',
  summary: 'Contacts, newest first',
  permission: 'contact:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    q: z.string().trim().min(1).max(100).optional().describe('Part of name, e-mail address, phone number or company'),
    source: z.string().max(100).optional(),
    user_id: z.uuid().optional().describe('Those that this person looks after'),
  }),
  responses: { 200: pageOf(contactView) },
  handler: async ({ actor, deps, query: { limit, cursor, q: text, source, user_id } }) => {
    const pattern = `%${(text ?? '').replaceAll(/[\\%_]/g, '\\$&')}%`;
    const rows = await readContacts(
      deps,
      actor,
      contactsQuery()
        .$if(text !== undefined, (q) =>
          q.where(
            sql<boolean>`(c.name ilike ${pattern} or c.email ilike ${pattern} or c.phone_number ilike ${pattern}
              or c.company ilike ${pattern})`,
          ),
        )
        .$if(source !== undefined, (q) => q.where('c.source', '=', source ?? ''))
        .$if(user_id !== undefined, (q) => q.where('a.user_id', '=', user_id ?? ''))
        .$call(newestFirst({ limit, cursor }, { time: 'c.created_at', id: 'c.id' })),
    );
    return newestPage(rows, limit);
  },
});

const getContact = route({
  operationId: 'getContact',
  method: 'get',
  path: contactPath,
  tag: 'contact',
  summary: 'One contact',
  permission: 'contact:read',
  gate: 'none',
  params: contactParams,
  responses: { 200: contactView },
  problems: ['resource.not-found'],
  handler: ({ actor, deps, params }) => showContact(deps, actor, params.contact_id),
});

const createContact = route({
  operationId: 'createContact',
  method: 'post',
  path: contactsPath,
  tag: 'contact',
  summary: 'Create a contact',
  permission: 'contact:manage',
  gate: 'none',
  body: z
    .strictObject({
      name: fields.name,
      email: fields.email.default(null),
      phone_number: fields.phone_number.default(null),
      company: fields.company.default(null),
      source: fields.source.default(null),
      notes: fields.notes.default(null),
    })
    .meta({ id: 'ContactCreation' }),
  responses: { 201: contactView },
  problems: ['resource.conflict'],
  handler: async ({ actor, body, deps, unitOfWork }) => {
    const id = await unitOfWork((tx) => insertContact(tx, body));
    return showContact(deps, actor, id, 201, { location: `${contactsPath}/${id}` });
  },
});

const updateContact = route({
  operationId: 'updateContact',
  method: 'put',
  path: contactPath,
  tag: 'contact',
  summary: 'Change a contact; what is left out stays',
  permission: 'contact:manage',
  gate: 'none',
  requiresIfMatch: true,
  params: contactParams,
  body: z.strictObject(fields).partial().meta({ id: 'ContactUpdate' }),
  responses: { 200: contactView },
  problems: ['resource.not-found', 'resource.conflict', 'resource.version-mismatch'],
  handler: async ({ actor, body, deps, params, request, unitOfWork }) => {
    const version = expectedVersion(request.ifMatch);
    await unitOfWork((tx) => saveContact(tx, params.contact_id, version, body));
    return showContact(deps, actor, params.contact_id);
  },
});

const deleteContact = route({
  operationId: 'deleteContact',
  method: 'delete',
  path: contactPath,
  tag: 'contact',
  summary: 'Delete a contact; its history stays',
  permission: 'contact:manage',
  gate: {
    action: contactDelete.name,
    payload: ({ params }, { ifMatch }) => ({ contact_id: params.contact_id, version: expectedVersion(ifMatch) }),
  },
  requiresIfMatch: true,
  params: contactParams,
  responses: { 204: null },
  problems: ['resource.not-found', 'resource.version-mismatch'],
  handler: async (context) => {
    const { params, request } = context;
    const change = contactDelete.prepare({ contact_id: params.contact_id, version: expectedVersion(request.ifMatch) });
    await runGatedAction(context, change);
    return reply(204);
  },
});

const maxImportRows = 2000;

const importView = z
  .object({
    created: z.number().int().describe('Contacts that were added'),
    duplicates: z.array(z.number().int()).describe('Lines whose e-mail address a contact has already'),
    contact_ids: z.array(z.uuid()).describe('The new contacts, in the order of the file'),
  })
  .meta({ id: 'ContactImport' });

const importContacts = route({
  operationId: 'importContacts',
  method: 'post',
  path: `${contactsPath}/import`,
  tag: 'contact',
  summary: 'Create contacts from a CSV file',
  description:
    'The first line names the columns: name, email, phone_number, company, source, notes; only name must be there. Either ' +
    'the whole file is good, or nothing is imported and every fault is listed by line.',
  permission: 'contact:manage',
  gate: 'none',
  body: z.strictObject({ csv: z.string().min(1).max(1_000_000) }).meta({ id: 'ContactCsv' }),
  responses: { 200: importView },
  problems: ['request.invalid'],
  handler: async ({ body, unitOfWork }) => {
    const rows = readFile(body.csv);
    const ids = await unitOfWork((tx) => insertContacts(tx, rows));
    const contact_ids = ids.filter((id) => id !== null);
    // The first line names the columns.
    const duplicates = ids.flatMap((id, index) => (id === null ? [index + 2] : []));
    return { created: contact_ids.length, duplicates, contact_ids };
  },
});

/** @throws Problem `request.invalid` with every fault of the file. */
function readFile(csv: string): ContactCsvRow[] {
  const records = recordsOf(csv);
  const [first] = records;
  if (first === undefined) throw invalidInput([{ pointer: '/csv', detail: 'has no line below the names of the columns' }]);
  if (records.length > maxImportRows) throw invalidInput([{ pointer: '/csv', detail: `has more than ${maxImportRows} lines` }]);
  const unknown = Object.keys(first).filter((column) => !isColumn(column));
  if (unknown.length > 0) {
    throw invalidInput(unknown.map((column) => ({ pointer: '/csv', detail: `knows no column ${column.slice(0, 50)}` })));
  }
  const results = records.map(readContactCsvRow);
  const faults = results.flatMap((result, index) =>
    'faults' in result
      ? result.faults.map(({ column, detail }) => ({ pointer: '/csv', detail: `line ${index + 2}, ${column}: ${detail}` }))
      : [],
  );
  if (faults.length > 0) throw invalidInput(faults);
  return results.flatMap((result) => ('row' in result ? [result.row] : []));
}

function recordsOf(csv: string): Record<string, string>[] {
  try {
    return parse(csv, { bom: true, columns: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    const detail = error instanceof Error ? error.message : 'cannot be read';
    throw invalidInput([{ pointer: '/csv', detail: `is no CSV: ${detail}` }]);
  }
}

function isColumn(column: string): column is ContactCsvColumn {
  return contactCsvColumns.some((known) => known === column);
}

const getContactAssignments = route({
  operationId: 'getContactAssignments',
  method: 'get',
  path: `${contactPath}/assignments`,
  tag: 'assignment',
  summary: 'Everybody who has looked after a contact, newest first, each with the reason',
  permission: 'assignment:read',
  gate: 'none',
  params: contactParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(explainedAssignmentView) },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params, query: { limit, cursor } }) => {
    await showContact(deps, actor, params.contact_id);
    const rows = await readAssignments(
      deps,
      actor,
      contactAssignmentsQuery()
        .where('a.contact_id', '=', params.contact_id)
        .$call(newestFirst({ limit, cursor }, { time: 'a.assigned_at', id: 'a.id' })),
    );
    return toPage(rows, limit, (row) => [row.assigned_at, row.id], explain);
  },
});

export const contactRoutes = [
  getContacts,
  getContact,
  createContact,
  updateContact,
  deleteContact,
  importContacts,
  getContactAssignments,
];
