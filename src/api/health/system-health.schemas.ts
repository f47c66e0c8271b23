import { z } from 'zod';
import { alertSeverities } from '../../domain/health/alert.ts';
import { allHealthMetrics, healthComponents } from '../../domain/health/health-metric.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';

const statuses = ['up', 'degraded', 'unknown', 'down'] as const;
const status = z
  .enum(statuses)
  .describe('`unknown`: not measured, or not yet; `degraded`: it works, but an alert fires');
const unit = z.enum(['up', 'ms', 'seconds', 'days', 'count', 'per_second', 'ratio']);

/** The state of every part, with the open alerts. */
export const SystemHealthBody = z
  .object({
    status: status.describe('The worst status of all components'),
    measured_at: timestamp
      .nullable()
      .describe('The newest measurement of the platform; null when there is no recent one'),
    age_seconds: z.int().nullable(),
    evaluated_at: timestamp.nullable().describe('When thresholds were last compared'),
    components: z.array(
      z.object({
        component: z.enum(healthComponents),
        scope: z.enum(['platform', 'tenant']),
        status: z
          .enum([...statuses, 'not_configured'])
          .describe('`not_configured`: an optional part that this installation does without; it counts for nothing'),
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
        id: uuid,
        name: z.string(),
        metric: z.string(),
        severity: z.enum(alertSeverities),
        status: z.enum(['pending', 'firing']),
        value: z.number().nullable().describe('Value at the last change of status'),
        pending_since: timestamp.nullable(),
        fired_at: timestamp.nullable(),
      }),
    ),
  })
  .meta({ id: 'SystemHealth' });

/** The history of one metric. */
export const SystemMetricsHistoryBody = z
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
  .meta({ id: 'SystemMetricsHistory' });
