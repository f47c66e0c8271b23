import { sql } from 'kysely';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { read, readAll } from '../../platform/database/read.ts';
import type { HealthProbe, Readings } from './health-probe.ts';

const scope = { tenant_id: defaultTenantId, user_id: null };

/** Measures a round trip to PostgreSQL, its connections, and its standbys when there are any. */
export function createDatabaseProbe(db: Database): HealthProbe {
  return {
    metrics: [
      'database.up',
      'database.latency_ms',
      'database.connections',
      'database.connection_ratio',
      'database.replicas',
      'database.replication_lag_seconds',
    ],
    async measure() {
      const startedAt = performance.now();
      await read(db, scope, kysely.selectNoFrom(sql<number>`1`.as('one')));
      const latency = performance.now() - startedAt;
      const [[connections], [standbys]] = await readAll(db, scope, [connectionsQuery(), standbysQuery()]);
      return {
        'database.up': 1,
        'database.latency_ms': latency,
        'database.connections': connections?.open ?? { unknown: 'PostgreSQL does not show its connections.' },
        'database.connection_ratio':
          connections === undefined
            ? { unknown: 'PostgreSQL does not show its connections.' }
            : connections.open / connections.possible,
        ...replication(standbys),
      };
    },
  };
}

function replication(standbys: { replicas: number; lag_seconds: number | null } | undefined): Readings {
  if (standbys === undefined) return {};
  const { replicas, lag_seconds } = standbys;
  if (replicas === 0) return { 'database.replicas': 0 };
  // The lag is null on an idle primary, and for a role without the right to see it.
  const unknown = 'PostgreSQL reports no lag; the application’s role may lack pg_read_all_stats.';
  return { 'database.replicas': replicas, 'database.replication_lag_seconds': lag_seconds ?? { unknown } };
}

function connectionsQuery() {
  return kysely
    .selectFrom(sql<{ backend_type: string }>`pg_stat_activity`.as('a'))
    .where('a.backend_type', '=', 'client backend')
    .select([sql<number>`count(*)`.as('open'), sql<number>`current_setting('max_connections')::int`.as('possible')]);
}

function standbysQuery() {
  return kysely
    .selectFrom(sql<{ pid: number }>`pg_stat_replication`.as('r'))
    .select([
      sql<number>`count(*)`.as('replicas'),
      sql<number | null>`(extract(epoch from max(r.replay_lag)))::float8`.as('lag_seconds'),
    ]);
}
