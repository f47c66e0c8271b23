import { z } from 'zod';
import { holdsSecret } from '../../domain/audit/audit-redaction.ts';
import { maximumStages, stagesOf } from '../../domain/config/config-rollout.ts';
import { maxInteger } from '../../domain/shared/integer-column.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import { allHealthMetrics } from '../../domain/health/health-metric.ts';
import { lineText, proseText, sha256Hex, webAddress } from '../../platform/value-schemas.ts';

const seconds = (maximum: number) => z.int().min(0).max(maximum);
const bakeSeconds = seconds(7 * 86_400).describe('How long a stage is watched before the next one');
const share = z.number().min(0.001).max(100).describe('Share of the instances in percent');

const strategy = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('all_at_once'), bake_seconds: bakeSeconds.default(0) }),
    z.strictObject({ kind: z.literal('linear'), step_percentage: share, bake_seconds: bakeSeconds }),
    z.strictObject({
      kind: z.literal('exponential'),
      start_percentage: share,
      factor: z.number().min(1.1).max(100).describe('Factor between one share and the next'),
      bake_seconds: bakeSeconds,
    }),
    z.strictObject({
      kind: z.literal('custom'),
      stages: z
        .array(z.strictObject({ percentage: share, bake_seconds: bakeSeconds }))
        .min(1)
        .max(maximumStages),
    }),
  ])
  .superRefine((value, context) => {
    try {
      stagesOf(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'is not a strategy' });
    }
  });

/** Approvers and everybody who may read configuration see the address of a guard, so it must not be a way in (S2-58). */
const guardAddress = webAddress.refine((url) => !holdsSecret(url), 'must hold no password or token: approvers are shown it');

const guard = z.strictObject({
  name: lineText(100),
  source: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('health'),
      metric: z.enum(allHealthMetrics).describe('A health metric; while it is not measured the rollout holds'),
    }),
    z.strictObject({
      kind: z.literal('prometheus'),
      url: guardAddress.describe('Base address of the Prometheus server, without credentials'),
      query: z.string().min(1).max(2_000).describe('Instant query that gives one number'),
      samples_query: z.string().min(1).max(2_000).nullable().default(null).describe('How many events it is based on'),
    }),
    z.strictObject({
      kind: z.literal('webhook'),
      url: guardAddress.describe('Answers a POST with {"verdict": "good" | "bad" | "unknown"}'),
    }),
  ]),
  bad_when: z.enum(['above', 'below']).default('above'),
  threshold: z.number().default(0).describe('Limit of the value; not used for a webhook'),
  for_seconds: seconds(86_400).default(0).describe('How long the value must be bad without interruption'),
  min_samples: z.int().min(0).max(1_000_000).default(1).describe('With fewer samples the guard is unknown'),
});

/** How a change is rolled out in one environment; part of what is approved. */
export const rolloutPlan = z.strictObject({
  strategy,
  guards: z.array(guard).max(10),
  check_interval_seconds: z.int().min(5).max(3_600).describe('How often the guards are measured'),
  dry_run: z.boolean(),
});

/** The plan as people give it; `completePlan` fills in what is left out. */
export const requestedPlan = rolloutPlan.extend({
  strategy: strategy.optional().describe('Default: 1, 10, 50, 100 % with ten minutes each in production, else 100 %'),
  guards: rolloutPlan.shape.guards.default([]),
  check_interval_seconds: rolloutPlan.shape.check_interval_seconds.default(30),
  dry_run: rolloutPlan.shape.dry_run.default(false),
});

export const configEnvironment = z.enum(environmentNames);
export const configReason = proseText(1_000);
export const configVersionNumber = z.int().min(1).max(maxInteger).describe('Number of a configuration version in its environment');
export const configDigestText = sha256Hex.describe(
  'SHA-256 of environment, schema and document as shown (RFC 8785), in hex',
);
