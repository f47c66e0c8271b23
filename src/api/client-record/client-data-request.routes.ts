import { Readable } from 'node:stream';
import { z } from 'zod';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { uuid } from '../../platform/value-schemas.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { auditDataRequest, auditDataRequestList } from '../../services/client-record/data-request/client-data-request-audit.service.ts';
import { openDataRequest, refuseDataRequest, withdrawDataRequest } from '../../services/client-record/data-request/client-data-request.service.ts';
import { fulfilPayload, listDataRequests, showDataRequest } from '../../services/client-record/data-request/client-data-request.queries.ts';
import { clientFulfilRequest } from '../../services/client-record/data-request/client-fulfil-request.action.ts';
import { loadClientSettings, replaceClientSettings } from '../../services/client-record/data-request/client-settings.service.ts';
import { heldFile } from '../../services/client-record/data-request/held-file.service.ts';
import { heldPagePolicy } from '../../services/client-record/data-request/held-page.ts';
import { tellAfterCommit } from '../../services/commands/workflow-start.service.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import {
  clientDataFileQuery,
  clientDataRequestCreation,
  clientDataRequestDetail,
  clientDataRequestListQuery,
  clientDataRequestPage,
  clientDataRequestRefusal,
  clientSettings,
  clientSettingsBody,
} from './client-data-request.schemas.ts';

/** Of what the first id of a path names: a refusal is audited as being about it. */
const tags = { client: 'client', request: 'client_data_request', settings: 'client_settings' } as const;
const settingsPath = '/api/v1/client-settings';
const requestsPath = '/api/v1/client-data-requests';
const requestPath = `${requestsPath}/:request_id`;
const requestParams = z.object({ request_id: uuid });
const permission = 'client:answer-request';

async function showSettings(db: ReadSource, scope: ReadScope) {
  const settings = await loadClientSettings(db, scope);
  return reply(200, settings, { etag: versionEtag(settings.version) });
}

const getClientSettings = route({
  operationId: 'getClientSettings',
  method: 'get',
  path: settingsPath,
  tag: tags.settings,
  summary: 'How long requests of clients about their data may take, and when to remind',
  description: 'Version 0 while the tenant has written nothing and the defaults of the product apply: fifteen days (LGPD art. 19).',
  permission: 'client:read',
  gate: 'none',
  responses: { 200: clientSettings },
  handler: ({ deps, actor }) => showSettings(deps.db, actor),
});

const updateClientSettings = route({
  operationId: 'updateClientSettings',
  method: 'put',
  path: settingsPath,
  tag: tags.settings,
  summary: 'Replace the settings for requests of clients',
  description: 'Requests that are there keep the due date and the reminders that they were opened with.',
  permission: 'client:manage',
  gate: 'none',
  requiresIfMatch: true,
  body: clientSettingsBody,
  responses: { 200: clientSettings },
  problems: ['resource.version-mismatch'],
  handler: ({ actor, body, request, change }) => {
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      await replaceClientSettings(tx, version, body);
      return showSettings(tx, actor);
    });
  },
});

const createClientDataRequest = route({
  operationId: 'createClientDataRequest',
  method: 'post',
  path: '/api/v1/clients/:client_id/data-requests',
  tag: tags.client,
  summary: 'Write down that a client asks what is held of them, or to be erased',
  description: 'Its due date follows from the settings. A client has at most one open request of each kind.',
  permission,
  gate: 'none',
  params: z.object({ client_id: uuid }),
  body: clientDataRequestCreation,
  responses: { 201: clientDataRequestDetail },
  problems: ['resource.not-found', 'resource.conflict', 'client.request-open'],
  handler: ({ actor, body, deps, params, change }) =>
    change(async (tx) => {
      const id = await openDataRequest(tx, params.client_id, body, deps.now());
      tellAfterCommit(deps, tx, 'client-data-request', { request_id: id });
      return reply(201, await showDataRequest(tx, actor, id), { location: `${requestsPath}/${id}` });
    }),
});

const getClientDataRequests = route({
  operationId: 'getClientDataRequests',
  method: 'get',
  path: requestsPath,
  tag: tags.request,
  summary: 'Requests of clients about their data, the first to fall due first',
  description: 'Each reading of a page is one audit entry with the number of requests shown.',
  permission,
  gate: 'none',
  query: clientDataRequestListQuery,
  responses: { 200: clientDataRequestPage },
  problems: ['request.cursor-invalid'],
  handler: ({ actor, query, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const page = await listDataRequests(tx, actor, query);
      auditDataRequestList(tx, page.items.length);
      return page;
    }),
});

const getClientDataRequest = route({
  operationId: 'getClientDataRequest',
  method: 'get',
  path: requestPath,
  tag: tags.request,
  summary: 'One request, with the contact and the prospect that an erasure would leave',
  permission,
  gate: 'none',
  params: requestParams,
  responses: { 200: clientDataRequestDetail },
  problems: ['resource.not-found'],
  handler: ({ actor, params, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const request = await showDataRequest(tx, actor, params.request_id);
      auditDataRequest(tx, 'read', request);
      return request;
    }),
});

const fulfilClientDataRequest = route({
  operationId: 'fulfilClientDataRequest',
  method: 'post',
  path: `${requestPath}/fulfil`,
  tag: tags.request,
  summary: 'Ask for the approval to fulfil a request',
  description:
    'When it is approved, what is held can be downloaded for seven days, or the client is erased for good. A contact or prospect that ' +
    'the client is linked to is a record of its own and stays: the request shows both.',
  permission,
  gate: {
    action: clientFulfilRequest.name,
    payload: ({ params }) => params,
    complete: (deps, _payload, { params }, scope) => fulfilPayload(deps.db, scope, params.request_id),
  },
  params: requestParams,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['resource.not-found', 'resource.conflict', 'client.request-closed'],
  handler: (context) =>
    context.change(async (tx) => {
      await runGatedAction(tx, context, clientFulfilRequest.prepare(await fulfilPayload(tx, context.actor, context.params.request_id)));
      return reply(204);
    }),
});

const refuseClientDataRequest = route({
  operationId: 'refuseClientDataRequest',
  method: 'post',
  path: `${requestPath}/refuse`,
  tag: tags.request,
  summary: 'Refuse a request, with the reason that the client is given',
  permission,
  gate: 'none',
  params: requestParams,
  body: clientDataRequestRefusal,
  responses: { 200: clientDataRequestDetail },
  problems: ['resource.not-found', 'client.request-closed'],
  handler: ({ actor, body, deps, params: { request_id }, change }) =>
    change(async (tx) => {
      await refuseDataRequest(tx, request_id, body.reason);
      tellAfterCommit(deps, tx, 'client-data-request', { request_id });
      return showDataRequest(tx, actor, request_id);
    }),
});

const withdrawClientDataRequest = route({
  operationId: 'withdrawClientDataRequest',
  method: 'post',
  path: `${requestPath}/withdraw`,
  tag: tags.request,
  summary: 'Close a request that the client has taken back',
  permission,
  gate: 'none',
  params: requestParams,
  responses: { 200: clientDataRequestDetail },
  problems: ['resource.not-found', 'client.request-closed'],
  handler: ({ actor, deps, params: { request_id }, change }) =>
    change(async (tx) => {
      await withdrawDataRequest(tx, request_id);
      tellAfterCommit(deps, tx, 'client-data-request', { request_id });
      return showDataRequest(tx, actor, request_id);
    }),
});

const contentTypes = { json: 'application/json', html: 'text/html' } as const;

const downloadClientData = route({
  operationId: 'downloadClientData',
  method: 'get',
  path: `${requestPath}/file`,
  tag: tags.request,
  summary: 'Everything that is held of a client, for an access request that was approved',
  description:
    'Made for this answer and stored nowhere: the record with its full CPF, contact and prospect, requests, and the history with the roles ' +
    'of staff instead of their names. `html` is one page for people. Each download is audited.',
  permission,
  gate: 'none',
  params: requestParams,
  query: clientDataFileQuery,
  responses: { 200: { contentTypes: Object.values(contentTypes), description: 'Everything that is held' } },
  problems: ['resource.not-found', 'client.data-not-approved', 'client.data-gone'],
  handler: async ({ deps, params: { request_id }, query: { format }, unitOfWork }) => {
    const text = await unitOfWork((tx) => heldFile(tx, deps, request_id, format, deps.now()));
    return reply(200, Readable.from([text], { objectMode: false }), {
      'content-type': `${contentTypes[format]}; charset=utf-8`,
      'content-disposition': `attachment; filename="client-data-${request_id}.${format}"`,
      'cache-control': 'no-store',
      'content-security-policy': heldPagePolicy,
    });
  },
});

/** Data protection for one client. */
export const clientDataRequestRoutes = [
  getClientSettings,
  updateClientSettings,
  createClientDataRequest,
  getClientDataRequests,
  getClientDataRequest,
  fulfilClientDataRequest,
  refuseClientDataRequest,
  withdrawClientDataRequest,
  downloadClientData,
];
