import type { JsonObject } from '../shared/canonical.ts';

/** Where a guard gets its measurement from. */
export type GuardSource =
  /** A metric of our own health samples, by name. */
  | { readonly kind: 'health'; readonly metric: string }
  /** An instant query of a Prometheus server; `samples_query` says over how many events it was computed. */
  | { readonly kind: 'prometheus'; readonly url: string; readonly query: string; readonly samples_query: string | null }
  /** The verdict of another system: an address that answers `{ "verdict": "good" | "bad" | "unknown" }`. */
  | { readonly kind: 'webhook'; readonly url: string };

/** A condition that stops a rollout when it holds: `value > threshold` or `value < threshold`. */
export interface Guard {
  readonly name: string;
  readonly source: GuardSource;
  readonly bad_when: 'above' | 'below';
  readonly threshold: number;
  /** For how many seconds without a break the condition must hold before it counts. */
  readonly for_seconds: number;
  /** Below this number of samples a measurement says nothing. */
  readonly min_samples: number;
}

/** The result of one measurement. */
export type Measurement =
  /** `samples` is null where the source does not count; then the measurements of the stage are counted. */
  | { readonly kind: 'value'; readonly value: number; readonly samples: number | null }
  | { readonly kind: 'verdict'; readonly verdict: 'good' | 'bad' }
  /** The source is unavailable, has no such metric, or answered `unknown`. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** What is known of a guard in the present stage. Times are milliseconds since the epoch. */
export interface GuardWatch {
  readonly latest: 'good' | 'breached' | 'unknown';
  readonly breached_since: number | null;
  readonly measurements: number;
  readonly value: number | null;
  readonly samples: number | null;
  readonly reason: string | null;
  readonly measured_at: number | null;
}

/**
 * The verdict of a guard: `good` lets a rollout go on, `bad` takes it back, `unknown` never promotes, and `undecided`
 * is a breach that has not lasted for `for_seconds` yet.
 */
export type GuardVerdict = 'good' | 'bad' | 'unknown' | 'undecided';

/** A guard that has not been measured in this stage. */
export const unmeasured: GuardWatch = {
  latest: 'unknown',
  breached_since: null,
  measurements: 0,
  value: null,
  samples: null,
  reason: 'not measured yet',
  measured_at: null,
};

/** The state of a guard after a measurement. An unknown one ends a breach: it may have been over meanwhile. */
export function watchGuard(guard: Guard, watch: GuardWatch, measurement: Measurement, at: number): GuardWatch {
  const measurements = measurement.kind === 'unknown' ? watch.measurements : watch.measurements + 1;
  const base = { measurements, measured_at: at };
  if (measurement.kind === 'unknown') {
    return { ...base, latest: 'unknown', breached_since: null, value: null, samples: null, reason: measurement.reason };
  }
  const isValue = measurement.kind === 'value';
  const samples = isValue && measurement.samples !== null ? measurement.samples : measurements;
  const value = isValue ? measurement.value : null;
  if (samples < guard.min_samples) {
    const reason = `${samples} of ${guard.min_samples} samples`;
    return { ...base, latest: 'unknown', breached_since: null, value, samples, reason };
  }
  const isBreached = isValue ? breaches(guard, measurement.value) : measurement.verdict === 'bad';
  return {
    ...base,
    latest: isBreached ? 'breached' : 'good',
    breached_since: isBreached ? (watch.breached_since ?? at) : null,
    value,
    samples,
    reason: null,
  };
}

/** The verdict of a guard at a time, in milliseconds since the epoch. */
export function guardVerdict(guard: Guard, watch: GuardWatch, at: number): GuardVerdict {
  if (watch.latest !== 'breached') return watch.latest;
  return at - (watch.breached_since ?? at) >= guard.for_seconds * 1000 ? 'bad' : 'undecided';
}

/** The joint verdict: the worst of all. Without guards it is `good`. */
export function jointVerdict(verdicts: readonly GuardVerdict[]): GuardVerdict {
  return (['bad', 'unknown', 'undecided'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'good';
}

/** The evidence that a decision is recorded with. */
export function guardEvidence(guards: readonly Guard[], watches: readonly GuardWatch[], at: number): JsonObject[] {
  return guards.map((guard, index) => {
    const watch = watches[index] ?? unmeasured;
    return {
      guard: guard.name,
      verdict: guardVerdict(guard, watch, at),
      value: watch.value,
      samples: watch.samples,
      bad_when: guard.bad_when,
      threshold: guard.threshold,
      reason: watch.reason,
    };
  });
}

function breaches({ bad_when, threshold }: Guard, value: number): boolean {
  return bad_when === 'above' ? value > threshold : value < threshold;
}
