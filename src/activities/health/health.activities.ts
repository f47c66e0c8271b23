import { Context } from '@temporalio/activity';
import { rollUpAndPurge } from '../../services/health/health-history.service.ts';
import { healthTenants } from '../../services/health/health.queries.ts';
import { recordPlatformHealth, recordTenantHealth } from '../../services/health/health.repository.ts';
import { watchEvaluation } from '../../services/health/health-watch.service.ts';
import type { HealthActivities } from '../../workflows/health/health-collection.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { runProbe } from './health-probe.ts';
import { createHealthProbes } from './health-probes.ts';
import { measureQueues } from './health-queue.probe.ts';
import { measureTenant } from './health-tenant.probe.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log' | 'queues' | 'temporal'>;

/** Tenants that one activity measures. */
const pageSize = 50;

/** The activities of `healthCollectionWorkflow`. */
export function createHealthActivities(deps: Deps): HealthActivities {
  const { db, log } = deps;
  const probes = createHealthProbes(deps);
  return {
    async collectPlatformHealth({ at }) {
      const measured = (await Promise.all(probes.map((probe) => runProbe(probe, log)))).flat();
      await recordPlatformHealth(db, new Date(at).toISOString(), measured);
      return { measurements: measured.length, unknown: measured.filter(({ value }) => value === null).length };
    },

    async collectTenantHealth({ at, after }) {
      const tenants = await healthTenants(db, after, pageSize);
      const timestamp = new Date(at).toISOString();
      let failed = 0;
      for (const tenantId of tenants) {
        try {
          const measured = await Promise.all([measureTenant(db, tenantId, timestamp), measureQueues(deps, tenantId)]);
          await recordTenantHealth(db, tenantId, timestamp, measured.flat());
        } catch (error) {
          // One tenant must not keep the others from being measured.
          log.warn({ err: error, tenant_id: tenantId }, 'a tenant could not be measured; the next run tries again');
          failed += 1;
        }
        Context.current().heartbeat(tenantId);
      }
      return { tenants: tenants.length - failed, failed, next_after: tenants[pageSize - 1] ?? null };
    },

    tendHealthHistory: ({ at }) => rollUpAndPurge(db, at),

    async watchAlertEvaluation({ at }) {
      const since = await watchEvaluation(deps, at);
      return since === null ? null : { stopped_since: since };
    },
  };
}
