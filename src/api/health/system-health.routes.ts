import { z } from 'zod';
import { alertSeverities } from '../../domain/health/alert.ts';
import { maxHistoryPoints } from '../../domain/health/health-history.ts';
import { allHealthMetrics, healthComponents } from '../../domain/health/health-metric.ts';
import { Problem } from '../../platform/problem.ts';
import { read, readAll } from '../../platform/database/read.ts';
import { healthHistoryQuery, latestHealthQuery, openAlertsQuery, wasEvaluatedQuery } from '../../services/health/health.queries.ts';
import { describeMetric, summarizeHealth } from '../../domain/health/health-summary.ts';
import { route } from '../http/route.ts';
import { moment, timestamp } from '../../platform/value-schemas.ts';

const tag = 'System health';

const status = z
  .enum(['up', 'degraded', 'unknown', 'down'])
  .describe('`unknown`: it could not be measured, or not yet; `degraded`: it works and an alert fires');
const unit = z.enum(['up', 'ms', 'seconds', 'days', 'count', 'per_second', 'ratio']);

const SystemHealth = z
  .object({
    status: status.describe('The worst of the parts'),
    measured_at: timestamp
      .nullable()
      .describe('The newest measurement of the platform; null when there is none lately'),
    age_seconds: z.int().nullable(),
    evaluated_at: timestamp.nullable().describe('When thresholds were last compared'),
    components: z.array(
      z.object({
        component: z.enum(healthComponents),
        scope: z.enum(['platform', 'tenant']),
        status,
        reason: z.string().nullable(),
        metrics: z.array(
          z.object({
            metric: z.enum(allHealthMetrics),
            title: z.string(),
            unit,
            value: z.number().nullable().describe('In `unit`; null when unknown'),
            reason: z.string().nullable(),
            at: timestamp,
          }),
        ),
      }),
    ),
    alerts: z.array(
      z.object({
        id: z.uuid(),
        name: z.string(),
        metric: z.string(),
        severity: z.enum(alertSeverities),
        status: z.enum(['pending', 'firing']),
        value: z.number().nullable().describe('What was seen at the last change of status'),
        pending_since: timestamp.nullable(),
        fired_at: timestamp.nullable(),
      }),
    ),
  })
  .meta({ id: 'SystemHealth' });

const getSystemHealth = route({
  operationId: 'getSystemHealth',
  method: 'get',
  path: '/admin/system-health',
  tag,
  summary: 'How every part of the system is, as last measured',
  description:
    'Parts of the platform are the same for everybody. Parts of the tenant are measured while the tenant has a threshold, ' +
    'which it has from the beginning. When the collector stops, what it last said is not shown as the present; when the ' +
    'evaluation stops, `alerting` is `down`, and before its first round it is `unknown`.',
  permission: 'health:read',
  gate: 'none',
  responses: { 200: SystemHealth },
  handler: async ({ deps, scope }) => {
    const now = deps.now();
    const [latest, alerts, [evaluation]] = await readAll(deps.db, scope, [
      latestHealthQuery(scope.tenant_id, now),
      openAlertsQuery(),
      wasEvaluatedQuery(),
    ]);
    const firing = new Set(alerts.filter(({ status: state }) => state === 'firing').map(({ metric }) => metric));
    const wasEvaluated = Boolean(evaluation?.was_evaluated);
    return { ...summarizeHealth(latest, { firing, wasEvaluated }, now), alerts };
  },
});

const defaultSpanMs = 3_600_000;
const maxSpanMs = 400 * 86_400_000;
const minStepSeconds = 60;

const getSystemMetricsHistory = route({
  operationId: 'getSystemMetricsHistory',
  method: 'get',
  path: '/admin/system-health/metrics',
  tag,
  summary: 'The history of one metric in steps',
  description:
    `Single measurements of the last day, five-minute averages of the last 29 days, hourly ones before. At most ${maxHistoryPoints} steps. ` +
    'A step in which nothing was measured is left out; one in which all was unknown has no numbers.',
  permission: 'health:read',
  gate: 'none',
  query: z.strictObject({
    metric: z.enum(allHealthMetrics),
    from: moment.optional().describe('An hour before `to` when left out'),
    to: moment.optional().describe('Now when left out; not included'),
    step: z.coerce
      .number()
      .int()
      .min(minStepSeconds)
      .max(86_400 * 7)
      .default(300)
      .describe('Length of a step in seconds'),
  }),
  responses: {
    200: z
      .object({
        metric: z.enum(allHealthMetrics),
        title: z.string(),
        unit,
        from: timestamp,
        to: timestamp,
        step_seconds: z.int(),
        points: z.array(
          z.object({
            at: timestamp.describe('Where the step begins'),
            avg: z.number().nullable().describe('In `unit`; null when all was unknown'),
            min: z.number().nullable().describe('In `unit`'),
            max: z.number().nullable().describe('In `unit`'),
            known_count: z.int(),
            unknown_count: z.int(),
          }),
        ),
      })
      .meta({ id: 'SystemMetricsHistory' }),
  },
  handler: async ({ query: { metric, step, ...span }, deps, scope }) => {
    const now = deps.now();
    const to = span.to === undefined ? now : Date.parse(span.to);
    const from = span.from === undefined ? to - defaultSpanMs : Date.parse(span.from);
    requireSpan(from, to, step);
    const points = await read(
      deps.db,
      scope,
      healthHistoryQuery({ metric, from, to, step_seconds: step }, scope.tenant_id, now),
    );
    return {
      metric,
      ...describeMetric(metric),
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      step_seconds: step,
      points,
    };
  },
});

/** @throws Problem `request.invalid` when the span is empty, too long, or has too many steps. */
function requireSpan(from: number, to: number, stepSeconds: number): void {
  const fault =
    from >= to
      ? { pointer: '/query/from', detail: 'must be before `to`' }
      : to - from > maxSpanMs
        ? { pointer: '/query/from', detail: 'must be within 400 days of `to`' }
        : (to - from) / (stepSeconds * 1000) > maxHistoryPoints
          ? { pointer: '/query/step', detail: `must be long enough for at most ${maxHistoryPoints} steps` }
          : null;
  if (fault === null) return;
  throw new Problem({ code: 'request.invalid', detail: 'Ask for less, or in longer steps.', errors: [fault] });
}

export const systemHealthRoutes = [getSystemHealth, getSystemMetricsHistory];
