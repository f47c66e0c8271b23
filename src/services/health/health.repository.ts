import { sql } from 'kysely';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import type { HealthMeasurement } from '../../domain/health/health-metric.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { writeInfrastructure } from '../../platform/database/read.ts';

/** Rows of the platform are written by database functions, which any tenant's session may call. */
const platformScope = { tenant_id: defaultTenantId, user_id: null };

/** Calls one of the database functions that write rows without a tenant. @returns the function's result. */
export async function callHealthFunction(db: Database, call: ReturnType<typeof sql<number>>): Promise<number> {
  const statement = sql<{ result: number }>`select ${call} as result`;
  const [row] = await writeInfrastructure(db, platformScope, { compile: () => statement.compile(kysely) });
  return row?.result ?? 0;
}

/** Writes measurements of the platform; a metric that has one of this time keeps it. `at` in RFC 3339. */
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

/** Writes measurements of a tenant in its own scope; a metric that has one of this time keeps it. `at` in RFC 3339. */
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
  const insert = kysely
    .insertInto('admin_system_health')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing());
  await writeInfrastructure(db, { tenant_id: tenantId, user_id: null }, insert);
}
