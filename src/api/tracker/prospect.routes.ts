import { z } from 'zod';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { notFound } from '../../platform/problem.ts';
import { versionEtag } from '../../platform/row-version.ts';
import { timestampInput } from '../../platform/value-schemas.ts';
import {
  presentProspect,
  prospectPageQuery,
  prospectsQuery,
  stageHistoryPageQuery,
} from '../../services/tracker/pipeline/prospect.queries.ts';
import {
  createProspect,
  deleteProspect,
  moveProspect,
  updateProspect,
} from '../../services/tracker/pipeline/prospect.service.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadSource } from '../../platform/database/read.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import {
  ProspectBody,
  ProspectCreate,
  ProspectMove,
  ProspectUpdate,
  StageHistoryBody,
  prospectStatus,
} from './prospect.schemas.ts';
import { changeRoutes, ownerOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { freeText, idParams, queryFlag, queryId } from './tracker.schemas.ts';

type Context = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'deps' | 'read'>;

/** Answers a prospect of the caller, with its version as ETag. */
async function replyProspect({ actor, deps }: Context, db: ReadSource, id: number, statusCode = 200) {
  const [row] = await read(db, actor, prospectsQuery(ownerOf(actor)).where('p.id', '=', id));
  if (row === undefined) throw notFound('prospect');
  return reply(statusCode, presentProspect(row, deps.now()), { etag: versionEtag(row.version) });
}

const create = route({
  ...trackerRoute,
  operationId: 'createProspect',
  method: 'post',
  path: `${trackerPath}/prospects`,
  summary: 'Add a prospect; its e-mail address is unique in the tenant',
  body: ProspectCreate,
  responses: { 201: ProspectBody },
  problems: ['resource.conflict', 'resource.not-found', 'prospect.move-refused'],
  handler: async (context) => {
    const { actor, body, change } = context;
    return change(async (tx) => {
      const { id } = await createProspect(tx, ownerOf(actor), body);
      return replyProspect(context, tx, id, 201);
    });
  },
});

const list = route({
  ...trackerRoute,
  operationId: 'getProspects',
  method: 'get',
  path: `${trackerPath}/prospects`,
  summary: 'Own prospects, newest first, each with time in stage, rotting and next activity',
  query: z.strictObject({
    ...pageQuery,
    q: freeText(100).min(1).optional().describe('Part of name, company or e-mail address'),
    status: prospectStatus.optional(),
    pipeline_id: queryId.optional(),
    stage_id: queryId.optional(),
    is_rotting: queryFlag.optional(),
    due_before: timestampInput.optional().describe('Next activity before this time'),
  }),
  responses: { 200: pageOf(ProspectBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, ...filter }, read, deps }) => {
    const now = deps.now();
    const rows = await read(prospectPageQuery(ownerOf(actor), { limit, cursor }, filter, now));
    return toPage(rows, limit, (row) => [row.created_at, String(row.id)], (row) => presentProspect(row, now));
  },
});

const get = route({
  ...trackerRoute,
  operationId: 'getProspect',
  method: 'get',
  path: `${trackerPath}/prospects/:id`,
  summary: 'One prospect, with its version as ETag',
  params: idParams,
  responses: { 200: ProspectBody },
  handler: (context) => replyProspect(context, context.deps.db, context.params.id),
});

const update = changeRoutes({
  ...trackerRoute,
  operationId: 'updateProspect',
  path: `${trackerPath}/prospects/:id`,
  summary: 'Change the fields that are sent; stage and status are changed by moving. If-Match is checked if sent',
  params: idParams,
  body: ProspectUpdate,
  responses: { 200: ProspectBody },
  problems: ['resource.conflict', 'resource.version-mismatch', 'request.invalid'],
  handler: async (context) => {
    const { actor, params, body, request, change } = context;
    const target = { user_id: ownerOf(actor), id: params.id, ifMatch: request.ifMatch };
    return change(async (tx) => {
      await updateProspect(tx, target, body);
      return replyProspect(context, tx, params.id);
    });
  },
});

const move = route({
  ...trackerRoute,
  operationId: 'moveProspect',
  method: 'post',
  path: `${trackerPath}/prospects/:id/move`,
  summary: 'Move to a stage, or win, lose or reopen; requires the version that was read',
  params: idParams,
  requiresIfMatch: true,
  body: ProspectMove,
  responses: { 200: ProspectBody },
  problems: ['prospect.move-refused', 'resource.version-mismatch'],
  handler: async (context) => {
    const { actor, params, body, request, change } = context;
    const target = { user_id: ownerOf(actor), id: params.id, ifMatch: request.ifMatch };
    return change(async (tx) => {
      await moveProspect(tx, target, body);
      return replyProspect(context, tx, params.id);
    });
  },
});

const remove = route({
  ...trackerRoute,
  operationId: 'deleteProspect',
  method: 'delete',
  path: `${trackerPath}/prospects/:id`,
  summary: 'Remove a prospect; its history is retained',
  params: idParams,
  responses: { 204: null },
  handler: ({ actor, params, change }) =>
    change(async (tx) => {
      await deleteProspect(tx, ownerOf(actor), params.id);
      return reply(204);
    }),
});

const history = route({
  ...trackerRoute,
  operationId: 'getProspectHistory',
  method: 'get',
  path: `${trackerPath}/prospects/:id/history`,
  summary: 'Moves of a prospect, latest first, with the time spent in each stage',
  params: idParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(StageHistoryBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, params, query: page, read }) => {
    const rows = await read(stageHistoryPageQuery(ownerOf(actor), params.id, page));
    return toPage(rows, page.limit, (row) => [row.created_at, String(row.id)], (row) => row);
  },
});

export const prospectRoutes = [
  create,
  list,
  get,
  ...update,
  remove,
  move,
  history,
];
