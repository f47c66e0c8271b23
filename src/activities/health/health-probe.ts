import { measurementsOf } from '../../domain/health/health-metric.ts';
import type { HealthMeasurement, HealthMetricName, HealthReading } from '../../domain/health/health-metric.ts';
import type { Logger } from '../../platform/observability/logger.ts';

/** The readings of a probe by metric; a metric that does not apply is left out. */
export type Readings = Partial<Record<HealthMetricName, HealthReading>>;

/** Measures one component of the platform. One file each, listed in `health-probes.ts`. */
export interface HealthProbe {
  /** All metrics that it may measure; they are unknown when it fails. */
  readonly metrics: readonly HealthMetricName[];
  /** May throw: then the metrics of this probe are unknown. */
  measure(): Promise<Readings>;
}

/** Time limit of a probe, so that one that hangs affects its own metrics only. */
export const probeTimeoutMs = 10_000;

class ProbeTimeout extends Error {}

/** Runs a probe. Never throws: metrics that could not be measured are unknown, with the reason. */
export async function runProbe(
  probe: HealthProbe,
  log: Logger,
  timeoutMs = probeTimeoutMs,
): Promise<HealthMeasurement[]> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ProbeTimeout(`No answer within ${timeoutMs} ms.`)), timeoutMs);
  });
  try {
    return measurementsOf(probe.metrics, { readings: await Promise.race([probe.measure(), timeout]) });
  } catch (error) {
    log.warn({ err: error, metrics: probe.metrics }, 'a health probe failed');
    return measurementsOf(probe.metrics, { failure: failureText(error) });
  } finally {
    clearTimeout(timer);
  }
}

/** The reason of a failed measurement for people of every tenant, so without addresses or SQL. The log has the details. */
export function failureText(error: unknown): string {
  if (error instanceof ProbeTimeout) return error.message;
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' || typeof code === 'number' ? `The probe failed (${code}).` : 'The probe failed.';
}
