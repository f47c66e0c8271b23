import { sql } from 'kysely';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import { healthRoundMs, healthSegments } from '../../domain/health/health-history.ts';
import { healthMetrics, healthMetricsOf } from '../../domain/health/health-metric.ts';
import type { HealthMetricName } from '../../domain/health/health-metric.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadConnections } from '../../platform/database/read.ts';

/** Older measurements are not shown as the present state. */
const currentForMs = 15 * 60_000;

/** The newest measurement of each metric that the tenant may see. `now` in milliseconds since the epoch. */
export function latestHealthQuery(tenantId: string, now: number) {
  const since = new Date(now - currentForMs).toISOString();
  const newestOf = (scope: 'platform' | 'tenant') =>
    kysely
      .selectFrom('admin_system_health')
      .where((eb) => (scope === 'platform' ? eb('tenant_id', 'is', null) : eb('tenant_id', '=', tenantId)))
      .where('metric', 'in', healthMetricsOf(scope))
      .where('resolution_seconds', '=', 0)
      .where('at', '>', since)
      .where('at', '<=', new Date(now).toISOString())
      .distinctOn('metric')
      .orderBy('metric')
      .orderBy('at', 'desc')
      .select(['metric', 'at', 'value', 'reason']);
  return kysely
    .selectFrom(newestOf('platform').as('p'))
    .selectAll('p')
    .unionAll(kysely.selectFrom(newestOf('tenant').as('t')).selectAll('t'));
}

/** Whether thresholds were ever evaluated; averages of the evaluation's metric are kept for more than a year. */
export function wasEvaluatedQuery() {
  const metric: HealthMetricName = 'alerting.evaluated';
  return kysely.selectNoFrom((eb) =>
    eb
      .exists(eb.selectFrom('admin_system_health').where('tenant_id', 'is', null).where('metric', '=', metric).select('id'))
      .as('was_evaluated'),
  );
}

/** The pending and firing alerts. */
export function openAlertsQuery() {
  return kysely
    .selectFrom('admin_alerts')
    .where('status', 'in', ['pending', 'firing'])
    .orderBy('fired_at')
    .select(['id', 'name', 'metric', 'severity', 'status', 'value', 'pending_since', 'fired_at']);
}

/** The history of a metric in steps of equal length; a step without rows is left out. Times in milliseconds since the epoch. */
export function healthHistoryQuery(
  { metric, from, to, step_seconds }: { metric: HealthMetricName; from: number; to: number; step_seconds: number },
  tenantId: string,
  now: number,
) {
  const segments = healthSegments(from, to, now);
  return kysely
    .selectFrom('admin_system_health')
    .where((eb) =>
      healthMetrics[metric].scope === 'platform' ? eb('tenant_id', 'is', null) : eb('tenant_id', '=', tenantId),
    )
    .where('metric', '=', metric)
    .where((eb) =>
      eb.or(
        segments.map((segment) =>
          eb.and([
            eb('resolution_seconds', '=', segment.resolution),
            eb('at', '>=', new Date(segment.from).toISOString()),
            eb('at', '<', new Date(segment.to).toISOString()),
          ]),
        ),
      ),
    )
    .groupBy(sql`1`)
    .orderBy(sql`1`)
    .select([
      sql<string>`date_bin(make_interval(secs => ${step_seconds}), at, ${new Date(from).toISOString()}::timestamptz)`.as(
        'at',
      ),
      sql<number | null>`sum(value * known_count) / nullif(sum(known_count), 0)`.as('avg'),
      sql<number | null>`min(min_value)`.as('min'),
      sql<number | null>`max(max_value)`.as('max'),
      sql<number>`sum(known_count)`.as('known_count'),
      sql<number>`sum(unknown_count)`.as('unknown_count'),
    ]);
}

const platformScope = { tenant_id: defaultTenantId, user_id: null };

/** A page of the tenants that have a threshold, a silence or a queue: those after the given one, by id. */
export async function healthTenants(db: ReadConnections, after: string | null, limit: number): Promise<string[]> {
  const page = kysely
    .selectFrom(sql<{ tenant_id: string }>`health_tenants(${after}::uuid, ${limit}::integer)`.as('t'))
    .select('t.tenant_id');
  return (await read(db, platformScope, page)).map(({ tenant_id }) => tenant_id);
}

/** How long a part of the monitoring may be silent before people are notified, in milliseconds: five rounds. */
const silenceMs = 5 * healthRoundMs;

/** A metric that a part of the monitoring writes in every round: `database.up` the collector, the other the evaluation. */
type RoundMetric = 'alerting.evaluated' | 'database.up';

/**
 * Since when a part of the monitoring has written nothing.
 *
 * @param metric the metric of the part that is asked about.
 * @param other the metric of the part that asks; before it has run for a while nothing is missing.
 * @param at milliseconds since the epoch.
 * @returns RFC 3339; null while it runs.
 */
export async function silentSince(
  db: ReadConnections,
  metric: RoundMetric,
  other: RoundMetric,
  at: number,
): Promise<string | null> {
  const rows = (name: RoundMetric) =>
    kysely
      .selectFrom('admin_system_health')
      .where('tenant_id', 'is', null)
      .where('metric', '=', name)
      .where('resolution_seconds', '=', 0)
      .where('at', '<=', new Date(at).toISOString());
  const lastOf = rows(metric).select(sql<string | null>`max(at)`.as('at'));
  const firstOther = rows(other).select(sql<string | null>`min(at)`.as('at'));
  const [last] = await read(db, platformScope, lastOf);
  const since = last?.at ?? (await read(db, platformScope, firstOther))[0]?.at ?? null;
  return since !== null && at - Date.parse(since) > silenceMs ? since : null;
}
