import { Context } from '@temporalio/activity';
import { sql } from 'kysely';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { healthRetentionSeconds } from '../../domain/health/health-history.ts';
import type { HealthResolution } from '../../domain/health/health-history.ts';
import { measurementsOf } from '../../domain/health/health-metric.ts';
import type { HealthMeasurement } from '../../domain/health/health-metric.ts';
import { tenantProbes } from '../../services/health/tenant-readings.queries.ts';
import type { Database } from '../../platform/database/database.ts';
import { readApart } from '../../platform/database/read.ts';
import type { HealthActivities, HealthTending } from '../../workflows/health/health-collection.contract.ts';
import { alertPeople } from '../../services/health/alert-recipients.queries.ts';
import type { ActivityDeps } from '../deps.ts';
import { measureQueues } from './health-queue.probe.ts';
import { failureText, probeTimeoutMs, runProbe } from './health-probe.ts';
import { createHealthProbes } from './health-probes.ts';
import {
  healthTenants,
  callHealthFunction,
  recordPlatformHealth,
  recordTenantHealth,
  silentSince,
} from '../../services/health/health.repository.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log' | 'queues' | 'temporal'>;

/** Tenants in one activity. */
const pageSize = 50;
/** Stretches that one call draws together: four hours of five minutes, two days of hours. */
const stretchesPerBatch = 48;
const purgedPerBatch = 5_000;
/** A measurement may be written this much later than its moment and still be in its average. */
const lateMs = 5 * 60_000;

/** The hands of the health collector. */
export function createHealthActivities(deps: Deps): HealthActivities {
  const { db, log } = deps;
  const probes = createHealthProbes(deps);
  const notify = createNotify(deps);
  return {
    async collectPlatformHealth({ at }) {
      const measured = (await Promise.all(probes.map((probe) => runProbe(probe, log)))).flat();
      await recordPlatformHealth(db, new Date(at).toISOString(), measured);
      return { measurements: measured.length, unknown: measured.filter(({ value }) => value === null).length };
    },

    async collectTenantHealth({ at, after }) {
      const tenants = await healthTenants(db, after, pageSize);
      const moment = new Date(at).toISOString();
      let failed = 0;
      for (const tenantId of tenants) {
        try {
          const measured = await Promise.all([measureTenant(db, tenantId, moment), measureQueues(deps, tenantId)]);
          await recordTenantHealth(db, tenantId, moment, measured.flat());
        } catch (error) {
          // One tenant must not keep the others from being measured.
          log.warn({ err: error, tenant_id: tenantId }, 'a tenant was not measured this time');
          failed += 1;
        }
        Context.current().heartbeat(tenantId);
      }
      return { tenants: tenants.length - failed, failed, next_after: tenants[pageSize - 1] ?? null };
    },

    tendHealthHistory: ({ at }) => tendHistory(db, at),

    async watchAlertEvaluation({ at }) {
      const since = await silentSince(db, 'alerting.evaluated', 'database.up', at);
      if (since === null) return null;
      const notice = {
        event: 'alert.watch-stopped' as const,
        event_key: `alert/watch/evaluation/${since}`,
        subject: 'Alerts are not evaluated any more',
        text: `No threshold was compared with its measurements since ${since}: alerts neither fire nor resolve.`,
        data: { what: 'evaluation', since },
      };
      const staff = systemActor(defaultTenantId);
      await notify(staff, notice, await alertPeople(db, staff, notice.event));
      return { stopped_since: since };
    },
  };
}

/** One round trip; what cannot be read is unknown and leaves the rest alone. */
async function measureTenant(db: Database, tenantId: string, at: string): Promise<HealthMeasurement[]> {
  const queries = tenantProbes.map((probe) => probe.query(at));
  const found = await readApart(db, { tenant_id: tenantId, user_id: null }, queries, probeTimeoutMs);
  return tenantProbes.flatMap(({ metrics }, index) => {
    const result = found[index];
    if (result === undefined) return [];
    if ('error' in result) return measurementsOf(metrics, { failure: failureText(result.error) });
    const known = Object.entries(result.rows[0]?.readings ?? {}).filter(([, value]) => value !== null);
    return measurementsOf(metrics, { readings: Object.fromEntries(known) });
  });
}

/**
 * One bounded batch. Hours are made of five minutes, so they wait until those are complete; and nothing is removed
 * before it was drawn together, however late that is.
 */
async function tendHistory(db: Database, at: number): Promise<HealthTending> {
  const fine = await rollUp(db, 0, 300, at - lateMs);
  if (fine >= stretchesPerBatch) return { rolled_up: fine, purged: 0, full: true };
  const coarse = await rollUp(db, 300, 3600, at - 2 * lateMs);
  if (coarse >= stretchesPerBatch) return { rolled_up: fine + coarse, purged: 0, full: true };
  const removed: number[] = [];
  for (const resolution of [0, 300, 3600] as const) removed.push(await purge(db, resolution, at));
  return {
    rolled_up: fine + coarse,
    purged: removed.reduce((sum, rows) => sum + rows, 0),
    full: removed.some((rows) => rows >= purgedPerBatch),
  };
}

/** @returns how many stretches of time were worked through; less than a batch when all are done. */
function rollUp(db: Database, from: HealthResolution, to: HealthResolution, until: number): Promise<number> {
  const before = new Date(until).toISOString();
  return callHealthFunction(
    db,
    sql<number>`roll_up_system_health(${from}::int, ${to}::int, ${before}::timestamptz, ${stretchesPerBatch}::int)`,
  );
}

/** @returns how many rows were removed. */
function purge(db: Database, resolution: HealthResolution, at: number): Promise<number> {
  const before = new Date(at - healthRetentionSeconds[resolution] * 1000).toISOString();
  return callHealthFunction(
    db,
    sql<number>`purge_system_health(${resolution}::int, ${before}::timestamptz, ${purgedPerBatch}::int)`,
  );
}
