import { z } from 'zod';
import { rolloutStatuses } from '../../domain/config/config-rollout.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';
import {
  failingIntegrationsQuery,
  openRolloutsQuery,
  queueMeasurementsQuery,
} from '../../services/health/dashboard.queries.ts';
import { environmentName } from '../approval/approval.schemas.ts';
import { dashboardSection } from './dashboard-section.ts';

/** Rollouts in progress. */
export const rollouts = dashboardSection({
  key: 'rollouts',
  permission: 'config:read',
  link: '/admin/deployments',
  data: z
    .object({
      items: z
        .array(
          z.object({
            id: uuid,
            environment: environmentName,
            kind: z.enum(['rollout', 'rollback', 'undo']),
            config_version: z.int(),
            status: z.enum(rolloutStatuses).describe('`holding` waits for a user’s decision'),
            candidate_percentage: z.number(),
            started_at: timestamp.nullable(),
            updated_at: timestamp,
          }),
        )
        .describe('Those that wait for a user’s decision first'),
    })
    .meta({ id: 'DashboardRollouts' }),
  query: openRolloutsQuery,
  present: (rows, { at }) => ({ as_of: at, data: { items: [...rows] } }),
});

/** Integrations whose last sync failed, and old keys that could not be revoked. */
export const integrations = dashboardSection({
  key: 'integrations',
  permission: 'integration:read',
  link: '/admin/integrations',
  data: z
    .object({
      integration_count: z.int().min(0).describe('Enabled integrations'),
      failing_count: z.int().min(0).describe('Of these, those whose last sync failed'),
      stuck_revocation_count: z.int().min(0).describe('Old keys that could not be revoked yet'),
      items: z
        .array(
          z.object({
            id: uuid,
            name: z.string(),
            environment: environmentName,
            last_sync_at: timestamp.nullable(),
          }),
        )
        .describe('Failing integrations, the longest failing first'),
    })
    .meta({ id: 'DashboardIntegrations' }),
  query: failingIntegrationsQuery,
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

/** Queues as the collector measured them last: a dashboard does not wait for their engines. */
export const queues = dashboardSection({
  key: 'queues',
  permission: 'queue:read',
  link: '/admin/queues',
  data: z
    .object({
      queue_count: z.int().min(0),
      paused_count: z.int().min(0),
      waiting_count: z.int().nullable().describe('Null: not measured lately, as are the three below'),
      failed_count: z.int().nullable().describe('Failed jobs that are stored'),
      oldest_waiting_seconds: z.number().nullable(),
      unreachable_count: z.int().nullable().describe('Queues whose engine does not answer'),
    })
    .meta({ id: 'DashboardQueues' }),
  query: ({ actor, now }) => queueMeasurementsQuery(actor.tenant_id, now),
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
