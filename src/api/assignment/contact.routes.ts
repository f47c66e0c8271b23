import { z } from 'zod';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { loadAssignmentHistory } from '../../services/assignment/contact-assignment.queries.ts';
import { contactDelete } from '../../services/assignment/contact-delete.action.ts';
import { importContacts as importCsv, readContactFile } from '../../services/assignment/contact-import.service.ts';
import { contactCreation } from '../../services/assignment/contact.payload.ts';
import { assertContactExists, loadContact, loadContacts } from '../../services/assignment/contact.queries.ts';
import { createContact as insertContact, updateContact as saveContact } from '../../services/assignment/contact.service.ts';
import type { ReadSource } from '../../platform/database/read.ts';
import { assertAccess } from '../../services/assignment/resource-access.service.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { explainedAssignmentView } from './contact-assignment.schemas.ts';
import { contactCsv, contactImportView, contactUpdate, contactView } from './contact.schemas.ts';
import { uuid } from '../../platform/value-schemas.ts';

const contactsPath = '/api/admin/contacts';
const contactPath = `${contactsPath}/:contact_id`;
const contactParams = z.object({ contact_id: uuid });

type Context = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'deps'>;

/** Answers with a contact and its entity tag. @throws Problem 404. */
async function showContact({ actor }: Context, db: ReadSource, id: string, status: 200 | 201 = 200) {
  const contact = await loadContact({ db }, actor, id);
  return reply(status, contact, { etag: versionEtag(contact.version) });
}

const getContacts = route({
  operationId: 'getContacts',
  method: 'get',
  path: contactsPath,
  tag: 'contact',
  summary: 'Contacts, newest first',
  description:
    'Without the permission: own contacts, those that wait in a pool of the caller’s, and those of campaigns that the caller ' +
    'manages.',
  permission: 'contact:read',
  isJudgedByResource: true,
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    q: z.string().trim().min(1).max(100).optional().describe('Part of name, e-mail address, phone number or company'),
    source: z.string().max(100).optional(),
    user_id: uuid.optional().describe('Contacts that this user owns'),
  }),
  responses: { 200: pageOf(contactView) },
  handler: async ({ actor, deps, query: { limit, cursor, q: text, source, user_id } }) => {
    const rows = await loadContacts(deps, actor, { text, source, user_id }, { limit, cursor });
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
  isJudgedByResource: true,
  gate: 'none',
  params: contactParams,
  responses: { 200: contactView },
  problems: ['resource.not-found'],
  handler: async (context) => {
    const { actor, deps, params } = context;
    await assertAccess(deps.db, actor, 'contact:read', { type: 'contact', id: params.contact_id });
    return showContact(context, deps.db, params.contact_id);
  },
});

const createContact = route({
  operationId: 'createContact',
  method: 'post',
  path: contactsPath,
  tag: 'contact',
  summary: 'Create a contact',
  permission: 'contact:manage',
  gate: 'none',
  body: contactCreation,
  responses: { 201: contactView },
  problems: ['resource.conflict'],
  handler: (context) =>
    context.change(async (tx) => {
      const id = await insertContact(tx, context.body);
      return showContact(context, tx, id, 201);
    }),
});

const updateContact = route({
  operationId: 'updateContact',
  method: 'put',
  path: contactPath,
  tag: 'contact',
  summary: 'Change a contact; omitted fields are unchanged',
  permission: 'contact:update',
  isJudgedByResource: true,
  gate: 'none',
  requiresIfMatch: true,
  params: contactParams,
  body: contactUpdate,
  responses: { 200: contactView },
  problems: ['resource.not-found', 'resource.conflict', 'resource.version-mismatch'],
  handler: async (context) => {
    const { actor, body, params, request, change } = context;
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      await assertAccess(tx, actor, 'contact:update', { type: 'contact', id: params.contact_id });
      await saveContact(tx, params.contact_id, version, body);
      return showContact(context, tx, params.contact_id);
    });
  },
});

const deleteContact = route({
  operationId: 'deleteContact',
  method: 'delete',
  path: contactPath,
  tag: 'contact',
  summary: 'Delete a contact; its history is retained',
  permission: 'contact:manage',
  gate: {
    action: contactDelete.name,
    payload: ({ params }, { ifMatch }) => ({ contact_id: params.contact_id, version: expectedVersion(ifMatch) }),
  },
  requiresIfMatch: true,
  params: contactParams,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['resource.not-found', 'resource.version-mismatch'],
  handler: async (context) => {
    const { params, request } = context;
    const change = contactDelete.prepare({ contact_id: params.contact_id, version: expectedVersion(request.ifMatch) });
    return context.change(async (tx) => {
      await runGatedAction(tx, context, change);
      return reply(204);
    });
  },
});

const importContacts = route({
  operationId: 'importContacts',
  method: 'post',
  path: `${contactsPath}/import`,
  tag: 'contact',
  summary: 'Create contacts from a CSV file',
  description:
    'The first line names the columns: name, email, phone_number, company, source, notes; only name is required. If ' +
    'any line is invalid, nothing is imported and every error is listed by line.',
  permission: 'contact:manage',
  gate: 'none',
  body: contactCsv,
  responses: { 200: contactImportView },
  problems: ['request.invalid'],
  handler: ({ body, change }) => {
    const rows = readContactFile(body.csv);
    return change((tx) => importCsv(tx, rows));
  },
});

const getContactAssignments = route({
  operationId: 'getContactAssignments',
  method: 'get',
  path: `${contactPath}/assignments`,
  tag: 'assignment',
  summary: 'All owners of a contact, newest first, each with the reason for the assignment',
  permission: 'assignment:read',
  isJudgedByResource: true,
  gate: 'none',
  params: contactParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(explainedAssignmentView) },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { contact_id }, query: page }) => {
    await assertAccess(deps.db, actor, 'assignment:read', { type: 'contact', id: contact_id });
    await assertContactExists(deps, actor, contact_id);
    return loadAssignmentHistory(deps, actor, contact_id, page);
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
