import { sql } from 'kysely';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import type { HealthMeasurement } from '../../domain/health/health-metric.ts';
import { query } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { read, writeTechnical } from '../../platform/database/read.ts';

const platformScope = { tenant_id: defaultTenantId, user_id: null };

/** Runs one of the functions of the migration that write what no tenant owns. @returns its number. */
export async function callHealthFunction(db: Database, call: ReturnType<typeof sql<number>>): Promise<number> {
  const statement = sql<{ result: number }>`select ${call} as result`;
  const [row] = await writeTechnical(db, platformScope, { compile: () => statement.compile(query) });
  return row?.result ?? 0;
}

/** Writes measurements of the platform; a metric that has one of this moment keeps it. */
export async function recordPlatformHealth(
  db: Database,
  at: string,
  measurements: readonly HealthMeasurement[],
): Promise<void> {
  const metrics = measurements.map(({ metric }) => metric);
  const values = measurements.map(({ value }) => value);
  const reasons = measurements.map(({ reason }) => reason);
  await callHealthFunction(
    db,
    sql<number>`record_platform_health(${at}::timestamptz, ${metrics}::text[], ${values}::float8[], ${reasons}::text[])`,
  );
}

/** Writes measurements of a tenant, as that tenant. */
export async function recordTenantHealth(
  db: Database,
  tenantId: string,
  at: string,
  measurements: readonly HealthMeasurement[],
): Promise<void> {
  const rows = measurements.map(({ metric, value, reason }) => ({
    tenant_id: tenantId,
    metric,
    resolution_seconds: 0 as const,
    at,
    value,
    min_value: value,
    max_value: value,
    known_count: value === null ? 0 : 1,
    unknown_count: value === null ? 1 : 0,
    reason,
  }));
  if (rows.length === 0) return;
  const insert = query
    .insertInto('admin_system_health')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing());
  await writeTechnical(db, { tenant_id: tenantId, user_id: null }, insert);
}

/** A page of the tenants that watch something or have queues, after the given one. */
export async function healthTenants(db: Database, after: string | null, limit: number): Promise<string[]> {
  const page = query
    .selectFrom(sql<{ tenant_id: string }>`health_tenants(${after}::uuid, ${limit}::integer)`.as('t'))
    .select('t.tenant_id');
  return (await read(db, platformScope, page)).map(({ tenant_id }) => tenant_id);
}

/** How long a part of the watch may be silent before people are told: five rounds. */
const silenceMs = 5 * 60_000;

/**
 * Since when a part of the watch has been silent, by the metric that it writes in every round; null while it is not.
 * `other` is the metric of the part that asks: before both have run there is nothing to miss.
 */
export async function silentSince(
  db: Database,
  metric: 'alerting.evaluated' | 'database.up',
  other: 'alerting.evaluated' | 'database.up',
  at: number,
): Promise<string | null> {
  const moment = new Date(at).toISOString();
  const rows = (name: typeof metric) =>
    query
      .selectFrom('admin_system_health')
      .where('tenant_id', 'is', null)
      .where('metric', '=', name)
      .where('resolution_seconds', '=', 0)
      .where('at', '<=', moment);
  const lastOf = rows(metric).select(sql<string | null>`max(at)`.as('at'));
  const firstOther = rows(other).select(sql<string | null>`min(at)`.as('at'));
  const [last] = await read(db, platformScope, lastOf);
  const since = last?.at ?? (await read(db, platformScope, firstOther))[0]?.at ?? null;
  return since !== null && at - Date.parse(since) > silenceMs ? since : null;
}
