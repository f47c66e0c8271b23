import { z } from 'zod';
import type { ReadSource } from '../../platform/database/read.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { uuid } from '../../platform/value-schemas.ts';
import { clientConversion } from '../../services/client-record/client-conversion.payload.ts';
import { convertToClient as convert } from '../../services/client-record/client-conversion.service.ts';
import { listDuplicateGroups } from '../../services/client-record/client-duplicate-groups.queries.ts';
import { findDuplicates, findDuplicatesOf } from '../../services/client-record/client-duplicates.queries.ts';
import { loadClientHistory } from '../../services/client-record/client-history.queries.ts';
import { listClientMerges, loadClientMerge } from '../../services/client-record/client-merge.queries.ts';
import { mergeClients as merge, undoMerge } from '../../services/client-record/client-merge.service.ts';
import { auditHistoryRead, auditMergeList, auditMergeRead } from '../../services/client-record/client-reading-audit.service.ts';
import { loadClient } from '../../services/client-record/client.queries.ts';
import { auditList } from '../../services/client-record/client.service.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import {
  clientHistory,
  clientHistoryQuery,
  clientMergePage,
  clientMergeResult,
  clientMergesQuery,
  clientMergeView,
  clientMerging,
  duplicateGroups,
  duplicateGroupsQuery,
  duplicateMatches,
  duplicateSearch,
} from './client-merge.schemas.ts';
import { clientView } from './client.schemas.ts';

const tag = 'client';
const clientsPath = '/api/v1/clients';
const clientPath = `${clientsPath}/:client_id`;
const mergesPath = '/api/v1/client-merges';
const mergePath = `${mergesPath}/:merge_id`;
const mergeParams = z.object({ merge_id: uuid });
const clientParams = z.object({ client_id: uuid });

/** Answers with a merge and its two clients as they are now. */
async function showMerge({ actor }: Pick<HandlerContext<unknown, unknown, unknown>, 'actor'>, db: ReadSource, id: string) {
  const shown = await loadClientMerge(db, actor, id);
  const [client, merged] = [await loadClient(db, actor, shown.client_id), await loadClient(db, actor, shown.merged_id)];
  return { merge: shown, client, merged };
}

const findClientDuplicates = route({
  operationId: 'findClientDuplicates',
  method: 'post',
  path: `${clientsPath}/duplicates`,
  tag,
  summary: 'Which clients somebody may be already, and by what (X-10)',
  description: 'It changes nothing; the body keeps numbers out of the logs of servers on the way. Audited like the list.',
  permission: 'client:read',
  gate: 'none',
  body: duplicateSearch,
  idempotency: false,
  responses: { 200: duplicateMatches },
  handler: ({ actor, body, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const found = await findDuplicates(tx, actor, body);
      auditList(tx, { items: found.matches }, { duplicates: true, ...body });
      return found;
    }),
});

const getClientDuplicateGroups = route({
  operationId: 'getClientDuplicateGroups',
  method: 'get',
  path: `${clientsPath}/duplicates`,
  tag,
  summary: 'Clients that have a phone number, an e-mail address, or name and birth date in common, group by group',
  description: 'Audited like the list. A cursor ends when the client that it names has got another value.',
  permission: 'client:read',
  gate: 'none',
  query: duplicateGroupsQuery,
  responses: { 200: duplicateGroups },
  problems: ['request.cursor-invalid'],
  handler: ({ actor, deps: { keyring }, query, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const page = await listDuplicateGroups({ db: tx, keyring }, actor, query);
      auditList(tx, { items: page.items.flatMap(({ clients }) => clients) }, { duplicates: true, [query.by]: true });
      return page;
    }),
});

const getClientDuplicates = route({
  operationId: 'getClientDuplicates',
  method: 'get',
  path: `${clientPath}/duplicates`,
  tag,
  summary: 'Which other clients may be the same as a client, and by what',
  permission: 'client:read',
  gate: 'none',
  params: clientParams,
  responses: { 200: duplicateMatches },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params, unitOfWork }) => {
    const found = await findDuplicatesOf(deps.db, actor, params.client_id);
    await unitOfWork(async (tx) => auditList(tx, { items: found.matches }, { duplicates: true, client_id: params.client_id }));
    return found;
  },
});

const mergeClients = route({
  operationId: 'mergeClients',
  method: 'post',
  path: `${clientPath}/merge`,
  tag,
  summary: 'Merge another client into this one; it can be undone for thirty days (X-10)',
  description:
    'The other client is deleted and keeps its numbers; what refers to it refers to this one from then on. If-Match names the ' +
    'version of this client, `merged_version` that of the other.',
  permission: 'client:manage',
  gate: 'none',
  requiresIfMatch: true,
  params: clientParams,
  body: clientMerging,
  responses: { 200: clientMergeResult },
  problems: ['resource.not-found', 'resource.version-mismatch', 'client.not-mergeable'],
  handler: async (context) => {
    const { body, params, request, change } = context;
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => showMerge(context, tx, await merge(tx, { ...params, version, ...body })));
  },
});

const undoClientMerge = route({
  operationId: 'undoClientMerge',
  method: 'post',
  path: `${mergePath}/undo`,
  tag: 'client_merge',
  summary: 'Undo a merge within thirty days: the merged client comes back',
  description: 'What the client took goes back where nobody has changed it since. Later merges of the client are undone first.',
  permission: 'client:manage',
  gate: 'none',
  params: mergeParams,
  responses: { 200: clientMergeResult },
  problems: ['resource.not-found', 'client.merge-not-undoable', 'client.merge-expired', 'client.merge-followed'],
  handler: (context) => {
    const { deps, params, change } = context;
    return change(async (tx) => {
      await undoMerge(tx, params.merge_id, deps.now());
      return showMerge(context, tx, params.merge_id);
    });
  },
});

const getClientMerges = route({
  operationId: 'getClientMerges',
  method: 'get',
  path: mergesPath,
  tag: 'client_merge',
  summary: 'Merges of clients, newest first',
  permission: 'client:read',
  gate: 'none',
  query: clientMergesQuery,
  responses: { 200: clientMergePage },
  problems: ['request.cursor-invalid'],
  handler: ({ actor, query, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const page = await listClientMerges(tx, actor, query);
      auditMergeList(tx, page.items.length);
      return page;
    }),
});

const getClientMerge = route({
  operationId: 'getClientMerge',
  method: 'get',
  path: mergePath,
  tag: 'client_merge',
  summary: 'One merge: who merged what, which fields were taken and what was moved',
  permission: 'client:read',
  gate: 'none',
  params: mergeParams,
  responses: { 200: clientMergeView },
  problems: ['resource.not-found'],
  handler: ({ actor, params, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const merge = await loadClientMerge(tx, actor, params.merge_id);
      auditMergeRead(tx, merge.id);
      return merge;
    }),
});

const convertToClient = route({
  operationId: 'convertToClient',
  method: 'post',
  path: `${clientsPath}/convert`,
  tag,
  summary: 'Make a client of a contact or of an own prospect, which stays as it is (X-10)',
  description:
    'Name, e-mail and phone number are those of the source unless they are given. The right to see the contact is asked for besides ' +
    'that to create clients.',
  permission: 'client:create',
  gate: 'none',
  body: clientConversion,
  responses: { 201: clientView },
  problems: ['auth.forbidden', 'resource.conflict'],
  handler: ({ actor, body, deps, change }) =>
    change(async (tx) => {
      const id = await convert(tx, body, deps.now());
      const client = await loadClient(tx, actor, id);
      return reply(201, client, { etag: versionEtag(client.version), location: `${clientsPath}/${id}` });
    }),
});

const getClientHistory = route({
  operationId: 'getClientHistory',
  method: 'get',
  path: `${clientPath}/history`,
  tag,
  summary: 'What was done to a client and who has read it, newest first, with the clients that were merged into it',
  description: 'From the audit; reading it is an entry itself. After an erasure the entries stay and their values are gone.',
  permission: 'client:read',
  gate: 'none',
  params: clientParams,
  query: clientHistoryQuery,
  responses: { 200: clientHistory },
  problems: ['resource.not-found', 'request.cursor-invalid'],
  handler: async ({ actor, deps, params, query, unitOfWork }) => {
    const page = await loadClientHistory(deps, actor, params.client_id, query);
    await unitOfWork(async (tx) => auditHistoryRead(tx, params.client_id, page.items.length));
    return page;
  },
});

/** Literal paths come before the patterns of client records. */
export const clientMergeRoutes = [
  findClientDuplicates,
  getClientDuplicateGroups,
  convertToClient,
  getClientDuplicates,
  mergeClients,
  getClientHistory,
  getClientMerges,
  getClientMerge,
  undoClientMerge,
];
