import { z } from 'zod';
import { alertAggregates, alertComparators, alertSeverities, alertStatuses, isClearSide } from '../../domain/health/alert.ts';
import { allHealthMetrics } from '../../domain/health/health-metric.ts';
import { lineText, proseText, timestamp, uuid } from '../../platform/value-schemas.ts';

/** Thresholds of one tenant at most; each costs a query in every evaluation. */
const maxThresholds = 100;
const minWindowSeconds = 120;
const maxWindowSeconds = 6 * 3600;

const limit = z.number().min(-1e12).max(1e12);

const settingFields = {
  name: lineText(100).describe('Unique in the tenant; identifies the threshold'),
  metric: z.enum(allHealthMetrics),
  comparator: z.enum(alertComparators).describe('`gt`: it is broken while the value is greater than `threshold`'),
  threshold: limit.describe('In the unit of the metric'),
  aggregate: z
    .enum(alertAggregates)
    .default('avg')
    .describe('How the measurements of the window are aggregated'),
  window_seconds: z
    .int()
    .min(0)
    .max(maxWindowSeconds)
    .refine((seconds) => seconds === 0 || seconds >= minWindowSeconds, `must be 0 or at least ${minWindowSeconds}`)
    .default(0)
    .describe('0: only the newest measurement'),
  for_seconds: z
    .int()
    .min(0)
    .max(7 * 24 * 3600)
    .default(0)
    .describe('How long it must be broken before the alert fires'),
  severity: z.enum(alertSeverities).default('warning'),
  channel_ids: z
    .array(uuid)
    .max(20)
    .refine((ids) => new Set(ids).size === ids.length, 'must name each channel once')
    .default([])
    .describe('Channels to notify; empty for every channel that subscribes to `alert.firing` or `alert.resolved`'),
  note: z
    .string()
    .trim()
    .min(1)
    .max(2000)
    .nullable()
    .default(null)
    .describe('What to do; sent with the notification that the alert fires'),
  is_enabled: z.boolean().default(true),
};

const ThresholdInput = z
  .strictObject({
    ...settingFields,
    clear_threshold: limit
      .optional()
      .describe('Where a firing alert ends: on the good side of `threshold`; `threshold` itself when omitted'),
  })
  .transform((setting) => ({ ...setting, clear_threshold: setting.clear_threshold ?? setting.threshold }))
  .refine(isClearSide, { path: ['clear_threshold'], message: 'must be on the good side of threshold' });

/** The whole set of a tenant's thresholds. */
export const ThresholdsInput = z
  .strictObject({
    thresholds: z
      .array(ThresholdInput)
      .max(maxThresholds)
      .superRefine((thresholds, context) => {
        const seen = new Set<string>();
        thresholds.forEach(({ name }, index) => {
          if (seen.has(name)) context.addIssue({ code: 'custom', path: [index, 'name'], message: 'must be unique' });
          seen.add(name);
        });
      }),
  })
  .meta({ id: 'AlertThresholdsInput' });

/** A threshold with its present state. */
const ThresholdBody = z
  .object({
    id: uuid,
    ...settingFields,
    clear_threshold: limit.describe('Value at which a firing alert ends'),
    window_seconds: z.int().describe('0: only the newest measurement'),
    state: z.enum(['quiet', 'pending', 'firing']),
    since: timestamp.nullable().describe('Since when it is pending or firing'),
    observed: z.number().nullable().describe('What is compared with the threshold now; null when unknown'),
    is_silenced: z.boolean(),
  })
  .meta({ id: 'AlertThreshold' });

/** The thresholds of a tenant. */
export const ThresholdsBody = z
  .object({
    version: z.int().describe('Send as If-Match; 0 for the set that the tenant began with'),
    updated_at: timestamp.nullable(),
    updated_by: uuid.nullable(),
    thresholds: z.array(ThresholdBody),
  })
  .meta({ id: 'AlertThresholds' });

/** One episode of a threshold. */
export const AlertBody = z
  .object({
    id: uuid,
    threshold_id: uuid,
    name: z.string(),
    metric: z.string(),
    severity: z.enum(alertSeverities),
    status: z.enum(alertStatuses),
    value: z.number().nullable().describe('Value at the last change of status'),
    pending_since: timestamp.nullable(),
    fired_at: timestamp.nullable(),
    resolved_at: timestamp.nullable(),
    resolve_reason: z
      .enum(['recovered', 'removed'])
      .nullable()
      .describe('`removed`: the threshold was removed or disabled'),
    suppressed_at: timestamp.nullable().describe('Set when it ended within a silence, so that nobody was notified'),
    firing_told_at: timestamp.nullable(),
    resolved_told_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'Alert' });

/** A silence of alerts. */
export const SilenceBody = z
  .object({
    id: uuid,
    threshold_id: uuid.nullable().describe('Null silences every alert of the tenant'),
    owner_id: uuid,
    reason: z.string(),
    starts_at: timestamp,
    ends_at: timestamp,
    ended_at: timestamp.nullable().describe('Set when it was ended early'),
    ended_by: uuid.nullable(),
    lapse_told_at: timestamp.nullable().describe('When the channels and the owner were notified of its end'),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'AlertSilence' });

export const silenceReason = proseText(1000).describe('Why notifications are held back');
