import { measurementsOf } from '../../domain/health/health-metric.ts';
import type { HealthMeasurement, HealthMetricName, HealthReading } from '../../domain/health/health-metric.ts';
import type { Logger } from '../../platform/observability/logger.ts';

/** What a probe found, by metric; one that does not apply is left out. */
export type Readings = Partial<Record<HealthMetricName, HealthReading>>;

/** Measures one part of the platform. One file each, listed in `health-probes.ts`. */
export interface HealthProbe {
  /** Everything it may measure; all of it is unknown when it fails. */
  readonly metrics: readonly HealthMetricName[];
  /** May throw: that takes down this probe's metrics and nothing else. */
  measure(): Promise<Readings>;
}

/** A round waits no longer for a probe, so that one that hangs costs its own metrics only. */
export const probeTimeoutMs = 10_000;

class ProbeTimeout extends Error {}

/** Runs a probe. Never throws: what it could not measure is unknown, with the reason. */
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

/** Why something could not be measured, for people of every tenant: no addresses, no SQL. The log has the rest. */
export function failureText(error: unknown): string {
  if (error instanceof ProbeTimeout) return error.message;
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' || typeof code === 'number' ? `The probe failed (${code}).` : 'The probe failed.';
}
