/**
 * Retention of measurements: single ones for two days, averages of five minutes for thirty days, and of an hour for four
 * hundred. Readers use the finest resolution that is certainly complete, so that none waits for a roll-up.
 */

/** The interval of the collector's rounds, in milliseconds. */
export const healthRoundMs = 60_000;

/** Seconds that one stored row covers; 0 is a single measurement. */
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
 * How far back a resolution is read: less than its retention, so that roll-up may be a day late.
 */
const readBackMs: Readonly<Record<0 | 300, number>> = { 0: dayMs, 300: 29 * dayMs };

/** Most points of one answer. */
export const maxHistoryPoints = 1_500;

/** A time span with the resolution that it is read from; `from` included, `to` not. Milliseconds since the epoch. */
interface HealthSegment {
  readonly resolution: HealthResolution;
  readonly from: number;
  readonly to: number;
}

/**
 * Splits a time span by the resolution that it is read from: hourly averages first, then five-minute ones, then the single
 * measurements of the last day. The boundaries are full hours, so that no average crosses one.
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

function hourBefore(time: number): number {
  return Math.floor(time / hourMs) * hourMs;
}
