/**
 * How measurements are kept: as they came for two days, in averages of five minutes for thirty days, and of an hour for
 * four hundred. Reading picks the finest that certainly is there, so that no reader waits for a roll-up.
 */

/** A round of the collector, in milliseconds. */
export const healthRoundMs = 60_000;

/** Seconds that one stored row stands for; 0 is a single measurement. */
export type HealthResolution = 0 | 300 | 3600;

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** How long rows of each resolution are kept, in seconds. */
export const healthRetentionSeconds: Readonly<Record<HealthResolution, number>> = {
  0: (2 * dayMs) / 1000,
  300: (30 * dayMs) / 1000,
  3600: (400 * dayMs) / 1000,
};

/**
 * Read no further back than this from a resolution: half the retention of the finest leaves roll-up a day to run
 * late.
 */
const readBackMs: Readonly<Record<0 | 300, number>> = { 0: dayMs, 300: 29 * dayMs };

/** Most points of one answer. */
export const maxHistoryPoints = 1_500;

/** A stretch of time with the resolution it is read from; `from` included, `to` not. Milliseconds since the epoch. */
export interface HealthSegment {
  readonly resolution: HealthResolution;
  readonly from: number;
  readonly to: number;
}

/**
 * Splits a stretch of time by what it is read from: hours long ago, five minutes lately, single measurements of the
 * last day. The borders lie on full hours, so that no average reaches over one.
 */
export function healthSegments(from: number, to: number, now: number): HealthSegment[] {
  const rawFrom = hourBefore(now - readBackMs[0]);
  const fineFrom = hourBefore(now - readBackMs[300]);
  const segments: HealthSegment[] = [
    { resolution: 3600, from, to: Math.min(to, fineFrom) },
    { resolution: 300, from: Math.max(from, fineFrom), to: Math.min(to, rawFrom) },
    { resolution: 0, from: Math.max(from, rawFrom), to },
  ];
  return segments.filter((segment) => segment.from < segment.to);
}

function hourBefore(moment: number): number {
  return Math.floor(moment / hourMs) * hourMs;
}
