import { z } from 'zod';
import { replaceThresholds } from '../../services/health/alert-thresholds.service.ts';
import { alertSeverities, alertStatuses } from '../../domain/health/alert.ts';
import { observedOf, standingOf, standingsQuery, thresholdColumns } from '../../services/health/alert.queries.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import type { ReadScope } from '../../platform/database/read.ts';
import { AlertBody, ThresholdsBody, ThresholdsInput } from './alert.schemas.ts';
import type { ApiDeps } from '../deps.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { idParams } from '../../platform/value-schemas.ts';
import { alertSilenceRoutes } from './alert-silence.routes.ts';

const tag = 'System health';

/** The tenant's thresholds with what they look at now, in one round trip. */
async function readThresholds(deps: ApiDeps, scope: ReadScope) {
  const at = deps.now();
  const [[settings], stored, standings] = await readAll(deps.db, scope, [
    query.selectFrom('admin_alert_settings').select(['version', 'updated_at', 'updated_by']),
    query
      .selectFrom('admin_alert_thresholds')
      .where('removed_at', 'is', null)
      .orderBy('name')
      .select(['id', ...thresholdColumns]),
    standingsQuery(new Date(at).toISOString()),
  ]);
  const standingById = new Map(standings.map((row) => [row.threshold_id, row]));
  const thresholds = stored.map((threshold) => {
    const row = standingById.get(threshold.id);
    // A disabled one without an open alert is not looked at.
    if (row === undefined) return { ...threshold, state: 'quiet', since: null, observed: null, is_silenced: false };
    const standing = standingOf(row);
    return {
      ...threshold,
      state: standing.state,
      since: standing.state === 'quiet' ? null : new Date(standing.since).toISOString(),
      observed: observedOf(row, at),
      is_silenced: Boolean(row.is_silenced),
    };
  });
  return {
    version: settings?.version ?? 0,
    updated_at: settings?.updated_at ?? null,
    updated_by: settings?.updated_by ?? null,
    thresholds,
  };
}

const getSystemAlerts = route({
  operationId: 'getSystemAlerts',
  method: 'get',
  path: '/admin/system-health/alerts',
  tag,
  summary: 'The thresholds of the tenant, with what they look at now',
  permission: 'health:read',
  gate: 'none',
  responses: { 200: ThresholdsBody },
  handler: async ({ deps, scope }) => {
    const thresholds = await readThresholds(deps, scope);
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
    'The set is replaced as a whole: what is left out goes, and an alert that fires for it is resolved. A threshold that ' +
    'keeps its name and metric keeps its open alert.',
  permission: 'health:configure',
  gate: 'mfa',
  body: ThresholdsInput,
  requiresIfMatch: true,
  responses: { 200: ThresholdsBody },
  problems: ['resource.version-mismatch', 'mfa.required'],
  handler: async ({ body, request, deps, scope, unitOfWork }) => {
    const expected = expectedVersion(request.ifMatch);
    const { version } = await unitOfWork((tx) => replaceThresholds(tx, body.thresholds, expected));
    return reply(200, await readThresholds(deps, scope), { etag: versionEtag(version) });
  },
});

const alertColumns = [
  'id',
  'threshold_id',
  'name',
  'metric',
  'severity',
  'status',
  'value',
  'pending_since',
  'fired_at',
  'resolved_at',
  'resolve_reason',
  'suppressed_at',
  'firing_told_at',
  'resolved_told_at',
  'created_at',
] as const;

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
    const rows = await read(
      query
        .selectFrom('admin_alerts')
        .$if(status !== undefined, (q) => q.where('status', '=', status ?? 'firing'))
        .$if(severity !== undefined, (q) => q.where('severity', '=', severity ?? 'critical'))
        .$call(newestFirst({ limit, cursor }))
        .select(alertColumns),
    );
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
  handler: async ({ params, read }) => {
    const [alert] = await read(query.selectFrom('admin_alerts').where('id', '=', params.id).select(alertColumns));
    if (alert === undefined) throw notFound('alert');
    return alert;
  },
});

export const alertRoutes = [getSystemAlerts, configureSystemAlerts, getAlerts, getAlert, ...alertSilenceRoutes];
