import { z } from 'zod';
import { versionEtag, expectedVersion } from '../../platform/row-version.ts';
import type { ReadSource } from '../../platform/database/read.ts';
import { uuid } from '../../platform/value-schemas.ts';
import { clientCreation, clientUpdate } from '../../services/client-record/client.payload.ts';
import { listClients, loadClient } from '../../services/client-record/client.queries.ts';
import type { ClientListing } from '../../services/client-record/client.queries.ts';
import {
  auditList,
  auditRead,
  createClient as create,
  deleteClient as removeClient,
  restoreClient as bringBack,
  revealClient,
  updateClient as saveClient,
} from '../../services/client-record/client.service.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { clientListQuery, clientPage, clientReveal, clientSearchBody, clientView, revealedCpf } from './client.schemas.ts';

const tag = 'client';
const clientsPath = '/api/v1/clients';
const clientPath = `${clientsPath}/:client_id`;
const clientParams = z.object({ client_id: uuid });

type Context = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'unitOfWork'>;

/** Answers with a client and its entity tag. @throws Problem 404. */
async function showClient({ actor }: Pick<Context, 'actor'>, db: ReadSource, id: string, status: 200 | 201 = 200) {
  const client = await loadClient(db, actor, id);
  return reply(status, client, { etag: versionEtag(client.version) });
}

/** Answers with a page, and records that it was read. */
function showPage({ actor, unitOfWork }: Context, listing: ClientListing) {
  const { limit: _limit, cursor: _cursor, count: _count, sort: _sort, state: _state, ...filter } = listing;
  return unitOfWork(async (tx) => {
    const page = await listClients(tx, actor, listing);
    auditList(tx, page, filter);
    return page;
  });
}

const getClients = route({
  operationId: 'getClients',
  method: 'get',
  path: clientsPath,
  tag,
  summary: 'Client records, newest first or by name',
  description: 'CPF are masked. Each reading of a page is one audit entry with the number of clients shown.',
  permission: 'client:read',
  gate: 'none',
  query: clientListQuery,
  responses: { 200: clientPage },
  problems: ['request.cursor-invalid'],
  handler: (context) => showPage(context, context.query),
});

const searchClients = route({
  operationId: 'searchClients',
  method: 'post',
  path: `${clientsPath}/search`,
  tag,
  summary: 'Search client records by what must not stand in an address, such as a CPF',
  description: 'It changes nothing; the body keeps numbers out of the logs of servers on the way. Audited like the list.',
  permission: 'client:read',
  gate: 'none',
  body: clientSearchBody,
  idempotency: false,
  responses: { 200: clientPage },
  problems: ['request.cursor-invalid'],
  handler: (context) => showPage(context, context.body),
});

const getClient = route({
  operationId: 'getClient',
  method: 'get',
  path: clientPath,
  tag,
  summary: 'One client record, deleted ones included; every reading is audited',
  permission: 'client:read',
  gate: 'none',
  params: clientParams,
  responses: { 200: clientView },
  problems: ['resource.not-found'],
  handler: (context) =>
    context.unitOfWork(async (tx) => {
      const shown = await showClient(context, tx, context.params.client_id);
      auditRead(tx, context.params.client_id);
      return shown;
    }),
});

const createClient = route({
  operationId: 'createClient',
  method: 'post',
  path: clientsPath,
  tag,
  summary: 'Create a client record',
  description:
    'A person needs a birth date, and a CPF in tenants whose identity document it is; a company a CNPJ. Where a client has the ' +
    'number already, the conflict says which one, and offers the restore of a deleted one, to those who may.',
  permission: 'client:create',
  gate: 'none',
  body: clientCreation,
  responses: { 201: clientView },
  problems: ['resource.conflict'],
  handler: (context) =>
    context.change(async (tx) => {
      const { contact_id, ...values } = context.body;
      const id = await create(tx, values, contact_id, context.deps.now());
      return showClient(context, tx, id, 201);
    }),
});

const updateClient = route({
  operationId: 'updateClient',
  method: 'put',
  path: clientPath,
  tag,
  summary: 'Change a client record; omitted fields are unchanged',
  permission: 'client:update',
  gate: 'none',
  requiresIfMatch: true,
  params: clientParams,
  body: clientUpdate,
  responses: { 200: clientView },
  problems: ['resource.not-found', 'resource.conflict', 'resource.version-mismatch'],
  handler: async (context) => {
    const { body, deps, params, request, change } = context;
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      await saveClient(tx, params.client_id, version, body, deps.now());
      return showClient(context, tx, params.client_id);
    });
  },
});

const deleteClient = route({
  operationId: 'deleteClient',
  method: 'delete',
  path: clientPath,
  tag,
  summary: 'Delete a client record; it keeps its number and can be restored',
  permission: 'client:delete',
  gate: 'none',
  requiresIfMatch: true,
  params: clientParams,
  responses: { 204: null },
  problems: ['resource.not-found', 'resource.version-mismatch'],
  handler: async ({ params, request, change }) => {
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      await removeClient(tx, params.client_id, version);
      return reply(204);
    });
  },
});

const restoreClient = route({
  operationId: 'restoreClient',
  method: 'post',
  path: `${clientPath}/restore`,
  tag,
  summary: 'Restore a deleted client record',
  permission: 'client:delete',
  gate: 'none',
  requiresIfMatch: true,
  params: clientParams,
  responses: { 200: clientView },
  problems: ['resource.not-found', 'resource.version-mismatch', 'client.not-restorable'],
  handler: async (context) => {
    const { params, request, change } = context;
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      await bringBack(tx, params.client_id, version);
      return showClient(context, tx, params.client_id);
    });
  },
});

const revealClientCpf = route({
  operationId: 'revealClientCpf',
  method: 'post',
  path: `${clientPath}/reveal`,
  tag,
  summary: 'Reveal the full CPF of a client for one answer; every access is audited with its reason',
  permission: 'client:reveal-cpf',
  gate: 'none',
  params: clientParams,
  body: clientReveal,
  // The answer holds the number, so it is not stored for a repetition.
  idempotency: false,
  responses: { 200: revealedCpf },
  problems: ['resource.not-found', 'client.no-cpf'],
  handler: ({ params, body, change }) =>
    change(async (tx) => reply(200, await revealClient(tx, params.client_id, body.reason), { 'cache-control': 'no-store' })),
});

/** Literal paths come before the pattern. */
export const clientRoutes = [
  getClients,
  searchClients,
  getClient,
  createClient,
  updateClient,
  deleteClient,
  restoreClient,
  revealClientCpf,
];
