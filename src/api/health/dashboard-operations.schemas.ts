import { sql } from 'kysely';
import { z } from 'zod';
import { rolloutStatuses } from '../../domain/config/config-rollout.ts';
import { query } from '../../entities/kysely-schema.ts';
import { environmentName } from '../approval/approval.schemas.ts';
import { dashboardSection } from './dashboard-section.ts';
import { timestamp } from '../../platform/value-schemas.ts';

/** Things of one section that are shown; the link leads to the others. */
const shown = 5;

/** Rollouts in flight: one an environment, so there are never many. */
export const rollouts = dashboardSection({
  key: 'rollouts',
  permission: 'config:read',
  link: '/admin/deployments',
  data: z
    .object({
      items: z
        .array(
          z.object({
            id: z.uuid(),
            environment: environmentName,
            kind: z.enum(['rollout', 'rollback', 'undo']),
            config_version: z.int(),
            status: z.enum(rolloutStatuses).describe('`holding` waits for a person'),
            candidate_percentage: z.number(),
            started_at: timestamp.nullable(),
            updated_at: timestamp,
          }),
        )
        .describe('Those that wait for a person first'),
    })
    .meta({ id: 'DashboardRollouts' }),
  query: () =>
    query
      .selectFrom('admin_deployments')
      .where('status', 'in', ['pending', 'running', 'paused', 'holding'])
      .orderBy(sql`status = 'holding'`, 'desc')
      .orderBy('created_at')
      .limit(shown)
      .select([
        'id',
        'environment',
        'kind',
        'config_version',
        'status',
        'candidate_percentage',
        'started_at',
        'updated_at',
      ]),
  present: (rows, { at }) => ({ as_of: at, data: { items: [...rows] } }),
});

/** Integrations whose last sync failed, and keys that could not be revoked. */
export const integrations = dashboardSection({
  key: 'integrations',
  permission: 'integration:read',
  link: '/admin/integrations',
  data: z
    .object({
      integration_count: z.int().min(0).describe('Enabled ones'),
      failing_count: z.int().min(0).describe('Of these, those whose last sync failed'),
      stuck_revocation_count: z.int().min(0).describe('Old keys that could not be revoked yet'),
      items: z
        .array(
          z.object({
            id: z.uuid(),
            name: z.string(),
            environment: environmentName,
            last_sync_at: timestamp.nullable(),
          }),
        )
        .describe('Failing ones, the longest first'),
    })
    .meta({ id: 'DashboardIntegrations' }),
  query: () => {
    const enabled = query
      .selectFrom('admin_integrations')
      .where('deleted_at', 'is', null)
      .where('is_enabled', '=', true);
    const failing = enabled.where('last_sync_status', 'in', ['failed', 'completed_with_failures']);
    const stuck = query
      .selectFrom('admin_key_rotations')
      .where('status', 'in', ['revoking', 'discarding'])
      .where('attempt_error_code', 'is not', null);
    const count = sql<number>`count(*)`.as('count');
    // One row without an integration where none fails, so that the counts are there.
    return query
      .selectFrom(enabled.select(count).as('e'))
      .leftJoinLateral(
        failing.orderBy('last_sync_at').limit(shown).select(['id', 'name', 'environment', 'last_sync_at']).as('f'),
        (join) => join.onTrue(),
      )
      .select(['e.count as integration_count', 'f.id', 'f.name', 'f.environment', 'f.last_sync_at'])
      .select([failing.select(count).as('failing_count'), stuck.select(count).as('stuck_revocation_count')]);
  },
  present: (rows, { at }) => ({
    as_of: at,
    data: {
      integration_count: rows[0]?.integration_count ?? 0,
      failing_count: rows[0]?.failing_count ?? 0,
      stuck_revocation_count: rows[0]?.stuck_revocation_count ?? 0,
      items: rows.flatMap(({ id, name, environment, last_sync_at }) =>
        id === null || name === null || environment === null ? [] : [{ id, name, environment, last_sync_at }],
      ),
    },
  }),
});

const queueMetrics = [
  'queues.waiting',
  'queues.failed',
  'queues.oldest_waiting_seconds',
  'queues.unreachable',
] as const;
/** Older measurements say nothing about the backlog. */
const measuredWithinMs = 15 * 60_000;

/** Queues stand in their engines, which a dashboard does not wait for: it shows what the collector found last. */
export const queues = dashboardSection({
  key: 'queues',
  permission: 'queue:read',
  link: '/admin/queues',
  data: z
    .object({
      queue_count: z.int().min(0),
      paused_count: z.int().min(0),
      waiting_count: z.int().nullable().describe('Null: not measured lately, as are the three below'),
      failed_count: z.int().nullable().describe('Failed jobs that are kept'),
      oldest_waiting_seconds: z.number().nullable(),
      unreachable_count: z.int().nullable().describe('Queues whose engine does not answer'),
    })
    .meta({ id: 'DashboardQueues' }),
  query: ({ actor, now }) => {
    const registered = query.selectFrom('admin_queues').where('removed_at', 'is', null);
    const newest = query
      .selectFrom('admin_system_health')
      .where('tenant_id', '=', actor.tenant_id)
      .where('metric', 'in', queueMetrics)
      .where('resolution_seconds', '=', 0)
      .where('at', '>', new Date(now - measuredWithinMs).toISOString())
      .distinctOn('metric')
      .orderBy('metric')
      .orderBy('at', 'desc')
      .select(['metric', 'at', 'value']);
    const valueOf = (metric: (typeof queueMetrics)[number]) =>
      sql<number | null>`max(n.value) filter (where n.metric = ${metric})`;
    const count = sql<number>`count(*)`.as('count');
    return query
      .selectFrom(newest.as('n'))
      .select([
        sql<string | null>`max(n.at)`.as('measured_at'),
        valueOf('queues.waiting').as('waiting_count'),
        valueOf('queues.failed').as('failed_count'),
        valueOf('queues.oldest_waiting_seconds').as('oldest_waiting_seconds'),
        valueOf('queues.unreachable').as('unreachable_count'),
        registered.select(count).as('queue_count'),
        registered.where('pause_state', 'is not', null).select(count).as('paused_count'),
      ]);
  },
  present: ([row]) => ({
    as_of: row?.measured_at ?? null,
    data: {
      queue_count: row?.queue_count ?? 0,
      paused_count: row?.paused_count ?? 0,
      waiting_count: row?.waiting_count ?? null,
      failed_count: row?.failed_count ?? null,
      oldest_waiting_seconds: row?.oldest_waiting_seconds ?? null,
      unreachable_count: row?.unreachable_count ?? null,
    },
  }),
});
