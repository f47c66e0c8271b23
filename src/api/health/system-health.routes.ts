import { z } from 'zod';
import { platformChainId } from '../../domain/audit/audit-entry.ts';
import { maxHistoryPoints } from '../../domain/health/health-history.ts';
import { allHealthMetrics } from '../../domain/health/health-metric.ts';
import { summarizeHealth } from '../../domain/health/health-summary.ts';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import { read, readAll } from '../../platform/database/read.ts';
import { timestampInput } from '../../platform/value-schemas.ts';
import { chainScope } from '../../services/audit/audit-chain.queries.ts';
import { newestVerdictQuery } from '../../services/audit/audit-retention.queries.ts';
import { latestHealthQuery, openAlertsQuery, wasEvaluatedQuery } from '../../services/health/health.queries.ts';
import { readMetricHistory } from '../../services/health/metric-history.service.ts';
import { route } from '../http/route.ts';
import { SystemHealthBody, SystemMetricsHistoryBody } from './system-health.schemas.ts';

const tag = 'System health';

const getSystemHealth = route({
  operationId: 'getSystemHealth',
  method: 'get',
  path: '/admin/system-health',
  tag,
  summary: 'Status of every component as last measured',
  description:
    'Platform components are the same for all tenants. Tenant components are measured while the tenant has a ' +
    'threshold; every tenant starts with some. When the collector stops, old measurements are not shown as current; ' +
    'when the evaluation stops, `alerting` is `down`, and before its first run it is `unknown`. Whether Temporal, its ' +
    'namespace and a worker are there is at most ten seconds old, because nothing is measured without them. `redis` is ' +
    '`not_configured` where PostgreSQL keeps the queues. `audit` is `down` from the moment that damage is found, and `degraded` while nothing outside the database anchors the log.',
  permission: 'health:read',
  gate: 'none',
  responses: { 200: SystemHealthBody },
  handler: async ({ deps, scope }) => {
    const now = deps.now();
    const queries = [
      latestHealthQuery(scope.tenant_id, now),
      openAlertsQuery(),
      wasEvaluatedQuery(),
      newestVerdictQuery(scope.tenant_id),
    ] as const;
    const [[latest, alerts, [evaluation], ours], platforms, present] = await Promise.all([
      readAll(deps.db, scope, queries),
      // The tenant whose staff run the platform answers for the platform's chain, too.
      scope.tenant_id === defaultTenantId ? read(deps.db, chainScope(platformChainId), newestVerdictQuery(platformChainId)) : [],
      deps.temporal.recentStatus(),
    ]);
    const firing = new Set(alerts.filter(({ status: state }) => state === 'firing').map(({ metric }) => metric));
    const wasEvaluated = Boolean(evaluation?.was_evaluated);
    const platform = { ...present, audit: [...ours, ...platforms], hasRedis: deps.env.REDIS_URL !== undefined };
    return { ...summarizeHealth(latest, { firing, wasEvaluated }, platform, now), alerts };
  },
});

const minStepSeconds = 60;

const getSystemMetricsHistory = route({
  operationId: 'getSystemMetricsHistory',
  method: 'get',
  path: '/admin/system-health/metrics',
  tag,
  summary: 'The history of one metric in steps',
  description:
    'Single measurements of the last day, five-minute averages of the last 29 days, hourly ones before. At most ' +
    `${maxHistoryPoints} steps. A step without measurements is omitted; one with only unknown measurements has no ` +
    'numbers.',
  permission: 'health:read',
  gate: 'none',
  query: z.strictObject({
    metric: z.enum(allHealthMetrics),
    from: timestampInput.optional().describe('One hour before `to` when omitted'),
    to: timestampInput.optional().describe('Now when omitted; exclusive'),
    step: z.coerce
      .number()
      .int()
      .min(minStepSeconds)
      .max(86_400 * 7)
      .default(300)
      .describe('Length of a step in seconds'),
  }),
  responses: { 200: SystemMetricsHistoryBody },
  handler: ({ query, deps, scope }) => readMetricHistory(deps.db, scope, query, deps.now()),
});

/** The state of the system (S2-32) and the history of its metrics. */
export const systemHealthRoutes = [getSystemHealth, getSystemMetricsHistory];
