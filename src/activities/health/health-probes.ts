import type { ActivityDeps } from '../deps.ts';
import { createApiProbe } from './health-api.probe.ts';
import { createCertificateProbe } from './health-certificate.probe.ts';
import { createDatabaseProbe } from './health-database.probe.ts';
import type { HealthProbe } from './health-probe.ts';
import { createTemporalProbe } from './health-temporal.probe.ts';

/** Everything that a round measures of the platform. What it measures of tenants is in `entities/health-facts.ts`. */
export function createHealthProbes({
  db,
  env,
  temporal,
}: Pick<ActivityDeps, 'db' | 'env' | 'temporal'>): readonly HealthProbe[] {
  return [createApiProbe(env), createDatabaseProbe(db), createTemporalProbe(temporal), createCertificateProbe(env)];
}
