import { sql } from 'kysely';
import { z } from 'zod';
import {
  changeProspect,
  createProspect,
  lockProspect,
  moveProspect,
  removeProspect,
} from '../../services/tracker/prospect.service.ts';
import type { ProspectRow } from '../../services/tracker/prospect.service.ts';
import { prospectInsight, prospectStatuses } from '../../domain/tracker/tracker-pipeline.ts';
import { prospectsQuery } from '../../services/tracker/prospect.queries.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { assertVersion, expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { email, moment, timestamp } from '../../platform/value-schemas.ts';
import { afterCursor, changeRoutes, freeText, idParams, ownerOf, queryId, rowId, trackerPath, trackerRoute } from './tracker.route.ts';

const minorUnits = z.int().min(0).max(1_000_000_000_000);
const status = z.enum(prospectStatuses);

const prospectFields = {
  name: freeText(255).min(1),
  company: freeText(255).nullable(),
  email: email.nullable(),
  phone: freeText(32).nullable(),
  source: freeText(100).nullable(),
  value_minor: minorUnits.nullable(),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'must be a code of three capital letters')
    .nullable(),
  probability: z.int().min(0).max(100).describe('Chance of winning, in percent'),
  next_activity_at: moment.nullable(),
};

const ProspectBody = z
  .object({
    id: rowId,
    user_id: z.uuid(),
    pipeline_id: rowId,
    stage_id: rowId,
    stage_name: z.string(),
    ...prospectFields,
    email: z.string().nullable(),
    status,
    lost_reason: z.string().nullable(),
    stage_entered_at: timestamp,
    seconds_in_stage: z.int().min(0).describe('Time since the last move, in seconds'),
    rots_at: timestamp.nullable().describe('Null where the prospect cannot rot'),
    is_rotting: z.boolean(),
    weighted_value_minor: z.int().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
  })
  .meta({ id: 'Prospect' });

type ProspectView = z.infer<typeof ProspectBody>;

type Shown = Awaited<ReturnType<ReturnType<typeof prospectsQuery>['executeTakeFirstOrThrow']>>;

function present(row: Shown, now: number): ProspectView {
  const { rotting_days, ...prospect } = row;
  return { ...prospect, ...prospectInsight(row, { rotting_days, entered_at: row.stage_entered_at }, now) };
}

type Context = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'deps' | 'read'>;

async function show({ actor, deps, read }: Context, id: number, statusCode = 200) {
  const [row] = await read(prospectsQuery(ownerOf(actor)).where('p.id', '=', id));
  if (row === undefined) throw notFound('prospect');
  return reply(statusCode, present(row, deps.now()), { etag: versionEtag(row.version) });
}

/** @throws Problem 412 when the caller has seen another version. */
function refuseStale(row: ProspectRow, ifMatch: string | null): void {
  if (ifMatch !== null) assertVersion(row, expectedVersion(ifMatch));
}

const needsCurrency = { path: ['currency'], message: 'must be given with value_minor' };

const postProspect = route({
  ...trackerRoute,
  operationId: 'createProspect',
  method: 'post',
  path: `${trackerPath}/prospects`,
  summary: 'Add a prospect; its e-mail address is unique in the tenant',
  body: z
    .strictObject(prospectFields)
    .partial()
    .extend({ name: prospectFields.name, stage_id: rowId.optional().describe('Default: first stage of the default pipeline') })
    .refine(({ value_minor, currency }) => value_minor == null || currency != null, needsCurrency)
    .meta({ id: 'ProspectCreate' }),
  responses: { 201: ProspectBody },
  problems: ['resource.conflict', 'resource.not-found', 'prospect.move-refused'],
  handler: async (context) => {
    const { actor, body, unitOfWork } = context;
    const { id } = await unitOfWork((tx) => createProspect(tx, ownerOf(actor), body));
    return show(context, id, 201);
  },
});

const queryFlag = z.enum(['true', 'false']).transform((text) => text === 'true');

const getProspects = route({
  ...trackerRoute,
  operationId: 'getProspects',
  method: 'get',
  path: `${trackerPath}/prospects`,
  summary: 'Own prospects, newest first; time in stage, rotting and next activity with each',
  query: z.strictObject({
    ...pageQuery,
    q: freeText(100).min(1).optional().describe('Part of name, company or e-mail address'),
    status: status.optional(),
    pipeline_id: queryId.optional(),
    stage_id: queryId.optional(),
    is_rotting: queryFlag.optional(),
    due_before: moment.optional().describe('Next activity before this time'),
  }),
  responses: { 200: pageOf(ProspectBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, ...filter }, read, deps }) => {
    const now = deps.now();
    let found = prospectsQuery(ownerOf(actor))
      .where(afterCursor(cursor, 'p.created_at', 'p.id'))
      .orderBy('p.created_at', 'desc')
      .orderBy('p.id', 'desc')
      .limit(limit + 1);
    if (filter.q !== undefined) {
      const pattern = `%${filter.q.replaceAll(/[\\%_]/g, '\\$&')}%`;
      found = found.where((eb) =>
        eb.or([eb('p.name', 'ilike', pattern), eb('p.company', 'ilike', pattern), eb('p.email', 'ilike', pattern)]),
      );
    }
    if (filter.status !== undefined) found = found.where('p.status', '=', filter.status);
    if (filter.pipeline_id !== undefined) found = found.where('p.pipeline_id', '=', filter.pipeline_id);
    if (filter.stage_id !== undefined) found = found.where('p.stage_id', '=', filter.stage_id);
    if (filter.due_before !== undefined) found = found.where('p.next_activity_at', '<', filter.due_before);
    if (filter.is_rotting !== undefined) found = found.where(rotting(now), '=', filter.is_rotting);
    return toPage(await read(found), limit, (row) => [row.created_at, String(row.id)], (row) => present(row, now));
  },
});

/** The rule of `prospectInsight` as a condition. */
function rotting(now: number) {
  return sql<boolean>`(p.status = 'open' and s.rotting_days is not null
    and p.stage_entered_at + make_interval(days => s.rotting_days) <= ${new Date(now).toISOString()}::timestamptz)`;
}

const getProspect = route({
  ...trackerRoute,
  operationId: 'getProspect',
  method: 'get',
  path: `${trackerPath}/prospects/:id`,
  summary: 'One prospect, with its version as ETag',
  params: idParams,
  responses: { 200: ProspectBody },
  handler: (context) => show(context, context.params.id),
});

const updateProspect = changeRoutes({
  ...trackerRoute,
  operationId: 'updateProspect',
  path: `${trackerPath}/prospects/:id`,
  summary: 'Change what is sent; stage and status change by moving. If-Match is honoured when it is sent',
  params: idParams,
  body: z.strictObject(prospectFields).partial().meta({ id: 'ProspectUpdate' }),
  responses: { 200: ProspectBody },
  problems: ['resource.conflict', 'resource.version-mismatch', 'request.invalid'],
  handler: async (context) => {
    const { actor, params, body, request, unitOfWork } = context;
    await unitOfWork(async (tx) => {
      const before = await lockProspect(tx, ownerOf(actor), params.id);
      refuseStale(before, request.ifMatch);
      await changeProspect(tx, before, body);
    });
    return show(context, params.id);
  },
});

const postMove = route({
  ...trackerRoute,
  operationId: 'moveProspect',
  method: 'post',
  path: `${trackerPath}/prospects/:id/move`,
  summary: 'Move to a stage, or win, lose or reopen; on the version that was read',
  params: idParams,
  requiresIfMatch: true,
  body: z
    .strictObject({
      stage_id: rowId.nullable().default(null),
      status: status.nullable().default(null),
      lost_reason: freeText(1000).min(1).nullable().default(null),
    })
    .meta({ id: 'ProspectMove' }),
  responses: { 200: ProspectBody },
  problems: ['prospect.move-refused', 'resource.version-mismatch'],
  handler: async (context) => {
    const { actor, params, body, request, unitOfWork } = context;
    await unitOfWork(async (tx) => {
      const before = await lockProspect(tx, ownerOf(actor), params.id);
      refuseStale(before, request.ifMatch);
      await moveProspect(tx, before, body);
    });
    return show(context, params.id);
  },
});

const deleteProspect = route({
  ...trackerRoute,
  operationId: 'deleteProspect',
  method: 'delete',
  path: `${trackerPath}/prospects/:id`,
  summary: 'Remove a prospect; its history stays',
  params: idParams,
  responses: { 204: null },
  handler: async ({ actor, params, unitOfWork }) => {
    await unitOfWork(async (tx) => removeProspect(tx, await lockProspect(tx, ownerOf(actor), params.id)));
    return reply(204);
  },
});

const getProspectHistory = route({
  ...trackerRoute,
  operationId: 'getProspectHistory',
  method: 'get',
  path: `${trackerPath}/prospects/:id/history`,
  summary: 'Moves of a prospect, latest first, with the time spent in each stage',
  params: idParams,
  query: z.strictObject(pageQuery),
  responses: {
    200: pageOf(
      z
        .object({
          id: rowId,
          from_stage_id: rowId.nullable(),
          to_stage_id: rowId,
          from_status: status.nullable(),
          to_status: status,
          reason: z.string().nullable(),
          seconds_in_stage: z.int().nullable().describe('Time in the stage it left'),
          moved_by: z.uuid().nullable(),
          created_at: timestamp,
        })
        .meta({ id: 'StageHistory' }),
    ),
  },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, params, query: { limit, cursor }, read }) => {
    const rows = await read(
      query
        .selectFrom('admin_stage_history as h')
        .innerJoin('admin_prospects as p', 'p.id', 'h.prospect_id')
        .where('p.user_id', '=', ownerOf(actor))
        .where('h.prospect_id', '=', params.id)
        .where(afterCursor(cursor, 'h.created_at', 'h.id'))
        .orderBy('h.created_at', 'desc')
        .orderBy('h.id', 'desc')
        .limit(limit + 1)
        .select(['h.id', 'h.from_stage_id', 'h.to_stage_id', 'h.from_status', 'h.to_status', 'h.reason'])
        .select(['h.seconds_in_stage', 'h.moved_by', 'h.created_at']),
    );
    return toPage(rows, limit, (row) => [row.created_at, String(row.id)], (row) => row);
  },
});

export const prospectRoutes = [
  postProspect,
  getProspects,
  getProspect,
  ...updateProspect,
  deleteProspect,
  postMove,
  getProspectHistory,
];
