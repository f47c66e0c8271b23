import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { QueueEventKind, QueueEventState, QueueProviderName } from '../../domain/queue/queue.ts';
import { jsonb, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/**
 * A queue that a tenant has registered, with the pause that is in force (S2-49). Its jobs are in its engine only.
 */
export const QueueEntity = defineEntity({
  name: 'Queue',
  tableName: 'admin_queues',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    name: p.text(),
    provider: p.text().$type<QueueProviderName>(),
    source_name: p.text(),
    environment: p.text().$type<EnvironmentName>(),
    description: p.text().default(''),
    pause_id: p.uuid().nullable(),
    pause_state: p.text().$type<'pausing' | 'paused'>().nullable(),
    pause_reason: p.text().nullable(),
    paused_by: p.uuid().nullable(),
    paused_at: timestamp().nullable(),
    paused_until: timestamp().nullable(),
    created_by: p.uuid().nullable(),
    removed_at: timestamp().nullable(),
    ...versionedColumns,
  },
});

/** One operation on a queue: recorded before the engine is asked, settled by the result (S2-49). */
export const QueueEventEntity = defineEntity({
  name: 'QueueEvent',
  tableName: 'admin_queue_events',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    queue_id: p.uuid(),
    kind: p.text().$type<QueueEventKind>(),
    state: p.text().$type<QueueEventState>(),
    job_id: p.text().nullable(),
    reason: p.text().nullable(),
    details: jsonb<JsonObject>().defaultRaw("'{}'"),
    requested_by: p.uuid().nullable(),
    approval_id: p.uuid().nullable(),
    finished_at: timestamp().nullable(),
    ...versionedColumns,
  },
});
