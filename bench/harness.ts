/** The result of one arm in one slice. */
export interface Slice {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** One implementation of the same work. */
export interface Arm {
  readonly name: string;
  slice(durationMs: number): Promise<Slice>;
}

/** Rounds and durations of a measurement. */
export interface Plan {
  readonly rounds: number;
  readonly sliceMs: number;
  readonly warmupMs: number;
}

/** Median, minimum and maximum. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** A goal and what was measured for it. */
export interface GoalResult {
  readonly id: string;
  readonly title: string;
  /** What `value` is, with its unit. */
  readonly figure: string;
  readonly value: Spread;
  readonly goal: { readonly at: 'least' | 'most'; readonly limit: number } | null;
  readonly met: boolean;
  /** Absolute figures of each arm, for orientation: they hold for this machine and this run only. */
  readonly arms: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}

/** Above this spread of the limit arm itself, a ratio is not reliable (the machine was busy with other work). */
const noisySpread = 0.3;

/**
 * Runs the arms in short slices one after the other, so that other load on the machine affects all alike. Every second
 * round runs in the reverse order, so that no arm always follows the same one.
 *
 * @returns the slices of each arm, by round.
 */
export async function interleave(arms: readonly Arm[], plan: Plan): Promise<Map<string, Slice[]>> {
  const slices = new Map<string, Slice[]>(arms.map(({ name }) => [name, []]));
  for (const arm of arms) await arm.slice(plan.warmupMs);
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const arm of round % 2 === 0 ? arms : arms.toReversed()) {
      slices.get(arm.name)?.push(await arm.slice(plan.sliceMs));
    }
  }
  return slices;
}

/** Median, minimum and maximum of the values. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** A quantile of the sorted values. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Per-round ratios of one arm to another. */
export function ratioOf(
  slices: ReadonlyMap<string, readonly Slice[]>,
  subject: string,
  baseline: string,
  measure: keyof Slice = 'perSecond',
): Spread {
  const ours = slices.get(subject) ?? [];
  const theirs = slices.get(baseline) ?? [];
  return spreadOf(ours.map((slice, round) => slice[measure] / (theirs[round]?.[measure] ?? Number.NaN)));
}

/** Absolute figures of the arms as text. */
export function figuresOf(slices: ReadonlyMap<string, readonly Slice[]>): Record<string, string> {
  const figures: Record<string, string> = {};
  for (const [name, rounds] of slices) {
    const rate = spreadOf(rounds.map(({ perSecond }) => perSecond));
    const p50 = spreadOf(rounds.map(({ p50Ms }) => p50Ms));
    const p99 = spreadOf(rounds.map(({ p99Ms }) => p99Ms));
    figures[name] =
      `${rate.median.toFixed(0)}/s (${rate.min.toFixed(0)}–${rate.max.toFixed(0)}), ` +
      `p50 ${p50.median.toFixed(1)} ms, p99 ${p99.median.toFixed(1)} ms`;
  }
  return figures;
}

/** A note when the limit arm itself varied too much for reliable ratios. */
export function noiseNotes(slices: ReadonlyMap<string, readonly Slice[]>, limitArm: string): string[] {
  const rate = spreadOf((slices.get(limitArm) ?? []).map(({ perSecond }) => perSecond));
  const spread = (rate.max - rate.min) / rate.median;
  return spread > noisySpread ? [`noisy: ${limitArm} itself varied by ${(spread * 100).toFixed(0)} %`] : [];
}

/** Whether the median meets the goal. */
export function meets(value: Spread, goal: GoalResult['goal']): boolean {
  if (goal === null) return true;
  return goal.at === 'least' ? value.median >= goal.limit : value.median <= goal.limit;
}

/**
 * Sequential work as a slice.
 *
 * @param once does it and returns the milliseconds that count, without its preparations
 */
export async function sequentialSlice(durationMs: number, once: () => Promise<number>): Promise<Slice> {
  const latencies: number[] = [];
  const end = performance.now() + durationMs;
  do latencies.push(await once());
  while (performance.now() < end);
  return sliceOf(latencies, latencies.reduce((sum, one) => sum + one, 0));
}

/** A slice of the latencies that were measured in `durationMs`. */
export function sliceOf(latenciesMs: number[], durationMs: number): Slice {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  return {
    perSecond: (latenciesMs.length * 1000) / durationMs,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
  };
}
