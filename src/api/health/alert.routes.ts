import { z } from 'zod';
import { alertSeverities, alertStatuses } from '../../domain/health/alert.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { idParams } from '../../platform/value-schemas.ts';
import { alertsQuery, findAlert, findThresholds } from '../../services/health/alert.queries.ts';
import { replaceThresholds } from '../../services/health/alert-thresholds.service.ts';
import { reply, route } from '../http/route.ts';
import { AlertBody, ThresholdsBody, ThresholdsInput } from './alert.schemas.ts';
import { alertSilenceRoutes } from './alert-silence.routes.ts';

const tag = 'System health';

const getSystemAlerts = route({
  operationId: 'getSystemAlerts',
  method: 'get',
  path: '/admin/system-health/alerts',
  tag,
  summary: 'Thresholds of the tenant, with the current values',
  permission: 'health:read',
  gate: 'none',
  responses: { 200: ThresholdsBody },
  handler: async ({ deps, scope }) => {
    const thresholds = await findThresholds(deps.db, scope, deps.now());
    return reply(200, thresholds, { etag: versionEtag(thresholds.version) });
  },
});

const configureSystemAlerts = route({
  operationId: 'configureSystemAlerts',
  method: 'put',
  path: '/admin/system-health/alerts',
  tag,
  summary: 'Replace the thresholds of the tenant',
  description:
    'The set is replaced as a whole: omitted thresholds are removed, and their firing alerts are resolved. A ' +
    'threshold that keeps its name and metric keeps its open alert.',
  permission: 'health:configure',
  gate: 'mfa',
  body: ThresholdsInput,
  requiresIfMatch: true,
  responses: { 200: ThresholdsBody },
  problems: ['resource.version-mismatch', 'mfa.required'],
  handler: async ({ body, request, deps, scope, change }) => {
    const expected = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      const { version } = await replaceThresholds(tx, body.thresholds, expected);
      return reply(200, await findThresholds(tx, scope, deps.now()), { etag: versionEtag(version) });
    });
  },
});

const getAlerts = route({
  operationId: 'getAlerts',
  method: 'get',
  path: '/admin/alerts',
  tag,
  summary: 'Alerts of the tenant, newest first',
  permission: 'health:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    status: z.enum(alertStatuses).optional(),
    severity: z.enum(alertSeverities).optional(),
  }),
  responses: { 200: pageOf(AlertBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, status, severity }, read }) => {
    const rows = await read(alertsQuery({ status, severity }).$call(newestFirst({ limit, cursor })));
    return newestPage(rows, limit);
  },
});

const getAlert = route({
  operationId: 'getAlert',
  method: 'get',
  path: '/admin/alerts/:id',
  tag,
  summary: 'One alert',
  permission: 'health:read',
  gate: 'none',
  params: idParams,
  responses: { 200: AlertBody },
  problems: ['resource.not-found'],
  handler: ({ params, deps, scope }) => findAlert(deps.db, scope, params.id),
});

/** Thresholds (S2-34), alerts (S2-75) and silences. */
export const alertRoutes = [getSystemAlerts, configureSystemAlerts, getAlerts, getAlert, ...alertSilenceRoutes];
