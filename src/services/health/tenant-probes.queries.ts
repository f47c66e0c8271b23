import { sql } from 'kysely';
import type { CompiledQuery, RawBuilder } from 'kysely';
import type { HealthMetricName } from '../../domain/health/health-metric.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { fourEyesOfRow, fourEyesQuery } from '../identity/role/decider.queries.ts';
import type { FourEyesRow } from '../identity/role/decider.queries.ts';

/** The readings of a tenant by metric; null where one does not apply. */
type TenantReadings = Partial<Record<HealthMetricName, number | null>>;

/** Measures a tenant by one query, which runs in the scope of the tenant. */
interface TenantProbe {
  /** The metrics that it measures; all are unknown when the query fails. */
  readonly metrics: readonly HealthMetricName[];
  /** One row, as of `at` (RFC 3339). */
  readonly query: (at: string) => { compile(): CompiledQuery };
  /** The readings of the row; left out where the row has them as `readings`. */
  readonly present?: (row: unknown) => TenantReadings;
}

/** The age in seconds of the earliest time; 0 where there is none. */
function ageOf(at: string, earliest: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`coalesce(greatest(0, extract(epoch from ${at}::timestamptz - ${earliest})), 0)`;
}

function daysBefore(at: string, days: number): string {
  return new Date(Date.parse(at) - days * 86_400_000).toISOString();
}

const approvals: TenantProbe = {
  metrics: ['approvals.pending', 'approvals.oldest_pending_seconds'],
  query: (at) =>
    kysely
      .selectFrom('admin_approvals')
      .where('status', '=', 'pending')
      .select(
        sql<TenantReadings>`jsonb_build_object(
          'approvals.pending', count(*),
          'approvals.oldest_pending_seconds', ${ageOf(at, sql`min(created_at)`)})`.as('readings'),
      ),
};

/** Whether the tenant has the persons that four eyes take; its dashboard says the same in words. */
const fourEyes: TenantProbe = {
  metrics: ['approvals.pairs', 'approvals.super_admins'],
  query: fourEyesQuery,
  present: (row) => {
    const { has_pair, warnings, super_admin_count } = fourEyesOfRow(row as FourEyesRow);
    const pairs = has_pair ? (warnings.includes('last_pair') ? 1 : 2) : 0;
    return { 'approvals.pairs': pairs, 'approvals.super_admins': super_admin_count };
  },
};

/** Something of the newest verification of the tenant's chain, which is the only one that its session sees. */
function newestState(what: RawBuilder<unknown>): RawBuilder<number | null> {
  return sql<number | null>`select ${what} from audit_verifications v where v.state is not null
    order by v.verified_at desc, v.id desc limit 1`;
}

/**
 * A chain that its last checkpoint covers wholly has no lag, however old the checkpoint is. Whether it is intact is what the
 * last verification has found; before the first one that does not apply.
 */
const audit: TenantProbe = {
  metrics: ['audit.checkpoint_lag_seconds', 'audit.intact', 'audit.unanchored'],
  query: (at) =>
    kysely
      .selectFrom('audit_heads as h')
      .leftJoin('audit_logs as l', (join) =>
        join
          .onRef('l.chain_id', '=', 'h.chain_id')
          .on(
            'l.seq',
            '=',
            sql<number>`1 + coalesce((select max(c.size) from audit_checkpoints c where c.chain_id = h.chain_id), 0)`,
          ),
      )
      .select(
        sql<TenantReadings>`jsonb_build_object(
          'audit.checkpoint_lag_seconds', ${ageOf(at, sql`min(l.recorded_at)`)},
          'audit.intact', (${newestState(sql`(v.state <> 'damaged')::int`)}),
          'audit.unanchored', (${newestState(sql`(v.state = 'unanchored')::int`)}))`.as('readings'),
      ),
};

const credentials: TenantProbe = {
  metrics: ['credentials.days_left'],
  query: (at) =>
    kysely
      .selectFrom('service_tokens')
      .where('revoked_at', 'is', null)
      .where('expires_at', '>', at)
      .select(
        sql<TenantReadings>`jsonb_build_object(
          'credentials.days_left', extract(epoch from min(expires_at) - ${at}::timestamptz) / 86400)`.as('readings'),
      ),
};

/** Deliveries are retried for a day and a half, so those older than three days are over. */
const notifications: TenantProbe = {
  metrics: ['notifications.failed', 'notifications.oldest_pending_seconds'],
  query: (at) =>
    kysely
      .selectFrom('notification_deliveries')
      .where('created_at', '>', daysBefore(at, 3))
      .select(
        sql<TenantReadings>`jsonb_build_object(
          'notifications.failed', count(*) filter (where status = 'failed' and created_at > ${daysBefore(at, 1)}),
          'notifications.oldest_pending_seconds',
            ${ageOf(at, sql`min(created_at) filter (where status = 'pending')`)})`.as('readings'),
      ),
};

const integrations: TenantProbe = {
  metrics: ['integrations.failing', 'integrations.stuck_revocations'],
  query: () =>
    kysely.selectNoFrom((eb) =>
      sql<TenantReadings>`jsonb_build_object(
        'integrations.failing', ${eb
          .selectFrom('admin_integrations')
          .where('deleted_at', 'is', null)
          .where('is_enabled', '=', true)
          .where('last_sync_status', 'in', ['failed', 'completed_with_failures'])
          .select(sql<number>`count(*)`.as('count'))},
        'integrations.stuck_revocations', ${eb
          .selectFrom('admin_key_rotations')
          .where('status', 'in', ['revoking', 'discarding'])
          .where('attempt_error_code', 'is not', null)
          .select(sql<number>`count(*)`.as('count'))})`.as('readings'),
    ),
};

const rollouts: TenantProbe = {
  metrics: ['rollouts.holding'],
  query: () =>
    kysely
      .selectFrom('admin_deployments')
      .where('status', '=', 'holding')
      .select(sql<TenantReadings>`jsonb_build_object('rollouts.holding', count(*))`.as('readings')),
};

const tenantProbes: readonly TenantProbe[] = [
  approvals,
  fourEyes,
  audit,
  credentials,
  integrations,
  notifications,
  rollouts,
];

/** The queries of all SQL probes of a tenant, as of `at` (RFC 3339). A new area adds its probe here. */
export function tenantProbeQueries(at: string) {
  return tenantProbes.map(({ metrics, query, present = givenReadings }) => ({ metrics, query: query(at), present }));
}

function givenReadings(row: unknown): TenantReadings {
  return (row as { readonly readings: TenantReadings } | undefined)?.readings ?? {};
}
