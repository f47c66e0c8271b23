import { measurementsOf } from '../../domain/health/health-metric.ts';
import type { HealthMeasurement } from '../../domain/health/health-metric.ts';
import type { Database } from '../../platform/database/database.ts';
import { readIsolated } from '../../platform/database/read.ts';
import { tenantProbes } from '../../services/health/tenant-probes.queries.ts';
import { failureText, probeTimeoutMs } from './health-probe.ts';

/**
 * Measures a tenant by all its SQL probes in one round trip. A probe that fails makes its own metrics unknown and leaves
 * the others alone.
 *
 * @param at RFC 3339.
 */
export async function measureTenant(db: Database, tenantId: string, at: string): Promise<HealthMeasurement[]> {
  const queries = tenantProbes.map((probe) => probe.query(at));
  const results = await readIsolated(db, { tenant_id: tenantId, user_id: null }, queries, probeTimeoutMs);
  return tenantProbes.flatMap(({ metrics }, index) => {
    const result = results[index];
    if (result === undefined) return [];
    if ('error' in result) return measurementsOf(metrics, { failure: failureText(result.error) });
    const known = Object.entries(result.rows[0]?.readings ?? {}).filter(([, value]) => value !== null);
    return measurementsOf(metrics, { readings: Object.fromEntries(known) });
  });
}
