import { z } from 'zod';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { idParams, timestampInput, uuid } from '../../platform/value-schemas.ts';
import { findSilence, silencesQuery } from '../../services/health/alert.queries.ts';
import { changeSilence, createSilence, endSilence } from '../../services/health/alert-silence.service.ts';
import { reply, route } from '../http/route.ts';
import { SilenceBody, silenceReason } from './alert.schemas.ts';

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
    is_open: z.stringbool().optional().describe('`true`: only silences that have not ended'),
  }),
  responses: { 200: pageOf(SilenceBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, is_open }, deps, read }) => {
    const silences = silencesQuery(is_open, new Date(deps.now()).toISOString());
    const rows = await read(silences.$call(newestFirst({ limit, cursor })));
    return newestPage(rows, limit);
  },
});

const getAlertSilence = route({
  operationId: 'getAlertSilence',
  method: 'get',
  path: '/admin/alert-silences/:id',
  tag,
  summary: 'One silence; send its ETag as If-Match to change it',
  permission: 'health:read',
  gate: 'none',
  params: idParams,
  responses: { 200: SilenceBody },
  problems: ['resource.not-found'],
  handler: async ({ params, deps, scope }) => {
    const silence = await findSilence(deps.db, scope, params.id);
    return reply(200, silence, { etag: versionEtag(silence.version) });
  },
});

const createAlertSilence = route({
  operationId: 'createAlertSilence',
  method: 'post',
  path: '/admin/alert-silences',
  tag,
  summary: 'Hold back notifications of alerts for a time',
  description:
    'Alerts are evaluated as usual, but nobody is notified when they fire. At the end the channels and the owner, ' +
    'who is the user that created the silence, are notified of the end, and then of the alerts that still fire.',
  permission: 'health:configure',
  gate: 'mfa',
  body: z.strictObject({
    threshold_id: uuid.nullable().default(null).describe('Null silences every alert of the tenant'),
    reason: silenceReason,
    starts_at: timestampInput.optional().describe('Now when omitted'),
    ends_at: timestampInput,
  }),
  responses: { 201: SilenceBody },
  problems: ['resource.not-found', 'mfa.required'],
  handler: ({ body, deps, change }) =>
    change(async (tx) => {
      const silence = await createSilence(tx, body, deps.now());
      return reply(201, silence, { etag: versionEtag(silence.version) });
    }),
});

const updateAlertSilence = route({
  operationId: 'updateAlertSilence',
  method: 'patch',
  path: '/admin/alert-silences/:id',
  tag,
  summary: 'Change the end or the reason of a silence that has not ended',
  permission: 'health:configure',
  gate: 'mfa',
  params: idParams,
  body: z
    .strictObject({ reason: silenceReason.optional(), ends_at: timestampInput.optional() })
    .refine((body) => Object.keys(body).length > 0, 'Give at least one field.'),
  requiresIfMatch: true,
  responses: { 200: SilenceBody },
  problems: ['resource.not-found', 'resource.version-mismatch', 'resource.conflict', 'mfa.required'],
  handler: async ({ params, body, request, deps, change }) => {
    const expected = { id: params.id, version: expectedVersion(request.ifMatch) };
    return change(async (tx) => {
      const silence = await changeSilence(tx, expected, body, deps.now());
      return reply(200, silence, { etag: versionEtag(silence.version) });
    });
  },
});

const deleteAlertSilence = route({
  operationId: 'deleteAlertSilence',
  method: 'delete',
  path: '/admin/alert-silences/:id',
  tag,
  summary: 'End a silence now; its record is retained',
  permission: 'health:configure',
  gate: 'mfa',
  params: idParams,
  responses: { 204: null },
  problems: ['resource.not-found', 'mfa.required'],
  handler: ({ params, change }) =>
    change(async (tx) => {
      await endSilence(tx, params.id);
    }),
});

/** Silences of alerts. */
export const alertSilenceRoutes = [
  getAlertSilences,
  getAlertSilence,
  createAlertSilence,
  updateAlertSilence,
  deleteAlertSilence,
];
