import { sql } from 'kysely';
import { z } from 'zod';
import { silenceColumns, changeSilence, endSilence, openSilence } from '../../services/health/alert-silence.service.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { SilenceBody, silenceReason } from './alert.schemas.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { idParams, moment } from '../../platform/value-schemas.ts';

const tag = 'System health';

const getAlertSilences = route({
  operationId: 'getAlertSilences',
  method: 'get',
  path: '/admin/alert-silences',
  tag,
  summary: 'Silences of the tenant, newest first',
  permission: 'health:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    is_open: z.stringbool().optional().describe('`true`: only those that are not over'),
  }),
  responses: { 200: pageOf(SilenceBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, is_open }, deps, read }) => {
    const open = sql<boolean>`(ended_at is null and ends_at > ${new Date(deps.now()).toISOString()})`;
    const rows = await read(
      query
        .selectFrom('admin_alert_silences')
        .$if(is_open !== undefined, (q) => q.where(open, '=', is_open ?? true))
        .$call(newestFirst({ limit, cursor }))
        .select(silenceColumns),
    );
    return newestPage(rows, limit);
  },
});

const getAlertSilence = route({
  operationId: 'getAlertSilence',
  method: 'get',
  path: '/admin/alert-silences/:id',
  tag,
  summary: 'One silence; its ETag goes into If-Match',
  permission: 'health:read',
  gate: 'none',
  params: idParams,
  responses: { 200: SilenceBody },
  problems: ['resource.not-found'],
  handler: async ({ params, read }) => {
    const [silence] = await read(
      query.selectFrom('admin_alert_silences').where('id', '=', params.id).select(silenceColumns),
    );
    if (silence === undefined) throw notFound('silence');
    return reply(200, silence, { etag: versionEtag(silence.version) });
  },
});

/** Longest silence: what should be quiet for longer is a threshold to change. */
const maxSilenceMs = 30 * 86_400_000;

/** @throws Problem `request.invalid` at `/ends_at`. */
function requireSpan(startsAt: number, endsAt: string, now: number): void {
  const end = Date.parse(endsAt);
  const fault =
    end <= Math.max(startsAt, now) ? 'must lie ahead and after the start' : 'must be within 30 days of the start';
  if (end > Math.max(startsAt, now) && end - startsAt <= maxSilenceMs) return;
  throw new Problem({
    code: 'request.invalid',
    detail: 'A silence has an end, at most 30 days after its start.',
    errors: [{ pointer: '/ends_at', detail: fault }],
  });
}

const createAlertSilence = route({
  operationId: 'createAlertSilence',
  method: 'post',
  path: '/admin/alert-silences',
  tag,
  summary: 'Hold back the news of alerts for a time',
  description:
    'Alerts go on as ever; nobody is told that they fire. What still fires at the end is told then, and so is the end ' +
    'itself, to the channels and to the owner, who is the person that made it.',
  permission: 'health:configure',
  gate: 'mfa',
  body: z.strictObject({
    threshold_id: z.uuid().nullable().default(null).describe('Null silences every alert of the tenant'),
    reason: silenceReason,
    starts_at: moment.optional().describe('Now when left out'),
    ends_at: moment,
  }),
  responses: { 201: SilenceBody },
  problems: ['resource.not-found', 'mfa.required'],
  handler: async ({ body, actor, deps, unitOfWork }) => {
    const { user_id } = actor;
    if (user_id === null) {
      throw new Problem({ code: 'auth.forbidden', detail: 'Only a person can answer for a silence.' });
    }
    const now = deps.now();
    const starts_at = body.starts_at ?? new Date(now).toISOString();
    requireSpan(Date.parse(starts_at), body.ends_at, now);
    const silence = await unitOfWork((tx) => openSilence(tx, user_id, { ...body, starts_at }));
    return reply(201, silence, { etag: versionEtag(silence.version) });
  },
});

const updateAlertSilence = route({
  operationId: 'updateAlertSilence',
  method: 'patch',
  path: '/admin/alert-silences/:id',
  tag,
  summary: 'Change the end or the reason of a silence that still lies',
  permission: 'health:configure',
  gate: 'mfa',
  params: idParams,
  body: z
    .strictObject({ reason: silenceReason.optional(), ends_at: moment.optional() })
    .refine((body) => Object.keys(body).length > 0, 'Give at least one field.'),
  requiresIfMatch: true,
  responses: { 200: SilenceBody },
  problems: ['resource.not-found', 'resource.version-mismatch', 'resource.conflict', 'mfa.required'],
  handler: async ({ params, body, request, deps, unitOfWork }) => {
    const version = expectedVersion(request.ifMatch);
    const now = deps.now();
    if (body.ends_at !== undefined) requireSpan(now, body.ends_at, now);
    const silence = await unitOfWork((tx) => changeSilence(tx, { id: params.id, version }, body));
    return reply(200, silence, { etag: versionEtag(silence.version) });
  },
});

const deleteAlertSilence = route({
  operationId: 'deleteAlertSilence',
  method: 'delete',
  path: '/admin/alert-silences/:id',
  tag,
  summary: 'End a silence now; it stays on record',
  permission: 'health:configure',
  gate: 'mfa',
  params: idParams,
  responses: { 204: null },
  problems: ['resource.not-found', 'mfa.required'],
  handler: async ({ params, unitOfWork }) => {
    await unitOfWork((tx) => endSilence(tx, params.id));
  },
});

export const alertSilenceRoutes = [
  getAlertSilences,
  getAlertSilence,
  createAlertSilence,
  updateAlertSilence,
  deleteAlertSilence,
];
