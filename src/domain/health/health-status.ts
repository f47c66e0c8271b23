import type { HealthMetricName } from './health-metric.ts';
import { healthMetrics } from './health-metric.ts';

/** The status of a component. `unknown` is worse than `degraded`, because nothing proves that it works. */
export type HealthStatus = 'up' | 'degraded' | 'unknown' | 'down';

const fromBestToWorst: readonly HealthStatus[] = ['up', 'degraded', 'unknown', 'down'];

/** The worst of several statuses; `unknown` of none. */
export function worstStatus(statuses: readonly HealthStatus[]): HealthStatus {
  const worst = Math.max(-1, ...statuses.map((status) => fromBestToWorst.indexOf(status)));
  return fromBestToWorst[worst] ?? 'unknown';
}

/** A metric as it was last measured. */
interface MeasuredMetric {
  readonly metric: HealthMetricName;
  readonly value: number | null;
  readonly reason: string | null;
}

/**
 * The status of one component: down when an `up` metric is 0; unknown when a metric could not be measured or there is none;
 * degraded while one of its alerts fires.
 */
export function componentStatus(metrics: readonly MeasuredMetric[], firing: ReadonlySet<string>): HealthStatus {
  if (metrics.some(({ metric, value }) => healthMetrics[metric].unit === 'up' && value === 0)) return 'down';
  if (metrics.length === 0 || metrics.some(({ value }) => value === null)) return 'unknown';
  return metrics.some(({ metric }) => firing.has(metric)) ? 'degraded' : 'up';
}
