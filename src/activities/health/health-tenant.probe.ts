import { measurementsOf } from '../../domain/health/health-metric.ts';
import type { HealthMeasurement } from '../../domain/health/health-metric.ts';
import type { Database } from '../../platform/database/database.ts';
import { readIsolated } from '../../platform/database/read.ts';
import { tenantProbeQueries } from '../../services/health/tenant-probes.queries.ts';
import { failureText, probeTimeoutMs } from './health-probe.ts';

/**
 * Measures a tenant by all its SQL probes in one round trip. A probe that fails makes its own metrics unknown and leaves
 * the others alone.
 *
 * @param at RFC 3339.
 */
export async function measureTenant(db: Database, tenantId: string, at: string): Promise<HealthMeasurement[]> {
  const probes = tenantProbeQueries(at);
  const results = await readIsolated(db, { tenant_id: tenantId, user_id: null }, probes.map(({ query }) => query), probeTimeoutMs);
  return probes.flatMap(({ metrics, present }, index) => {
    const result = results[index];
    if (result === undefined) return [];
    if ('error' in result) return measurementsOf(metrics, { failure: failureText(result.error) });
    const known = Object.entries(present(result.rows[0])).filter(([, value]) => value !== null);
    return measurementsOf(metrics, { readings: Object.fromEntries(known) });
  });
}
