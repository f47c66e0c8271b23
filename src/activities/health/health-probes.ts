import type { ActivityDeps } from '../deps.ts';
import { createApiProbe } from './health-api.probe.ts';
import { createCertificateProbe } from './health-certificate.probe.ts';
import { createDatabaseProbe } from './health-database.probe.ts';
import type { HealthProbe } from './health-probe.ts';
import { createRedisProbe } from './health-redis.probe.ts';
import { createTemporalProbe } from './health-temporal.probe.ts';

/** All probes of the platform. Those of tenants are in `services/health/tenant-probes.queries.ts`. */
export function createHealthProbes({
  db,
  env,
  temporal,
}: Pick<ActivityDeps, 'db' | 'env' | 'temporal'>): readonly HealthProbe[] {
  return [createApiProbe(env), createDatabaseProbe(db), createTemporalProbe(temporal), createRedisProbe(env), createCertificateProbe(env)];
}
