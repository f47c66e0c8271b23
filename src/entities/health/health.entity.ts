import type { AlertAggregate, AlertComparator, AlertSeverity, AlertStatus } from '../../domain/health/alert.ts';
import type { HealthResolution } from '../../domain/health/health-history.ts';
import type { HealthMetricName } from '../../domain/health/health-metric.ts';
import { timestamp } from '../shared/column-types.ts';
import { currentTenantSql, defineEntity, p, tenantColumns, tenantPolicies, updatedAt, versionedColumns } from '../shared/tenant-columns.ts';

/**
 * What was measured (S2-51): single measurements and their averages. Rows without a tenant are the platform's: every
 * tenant sees them, none writes them (`record_platform_health` does). A bigint for a key, because rows come in by the
 * minute and in order.
 */
export const SystemHealthEntity = defineEntity({
  name: 'SystemHealth',
  tableName: 'admin_system_health',
  rowLevelSecurity: 'force',
  policies: [
    {
      name: 'tenant_isolation',
      type: 'restrictive',
      roles: ['castellan_app'],
      using: `tenant_id is null or tenant_id = ${currentTenantSql}`,
      check: `tenant_id = ${currentTenantSql}`,
    },
    { name: 'app_access', type: 'permissive', roles: ['castellan_app'], using: 'true', check: 'true' },
  ],
  properties: {
    id: p.bigint('number').primary().autoincrement().generated('identity'),
    tenant_id: p.uuid().nullable(),
    metric: p.text().$type<HealthMetricName>(),
    /** Seconds that the row stands for; 0 is a single measurement. */
    resolution_seconds: p.integer().$type<HealthResolution>(),
    /** When it was measured, or where the stretch begins. */
    at: timestamp(),
    /** The measurement, or the average of the known ones; null when nothing is known. */
    value: p.float().columnType('double precision').nullable(),
    min_value: p.float().columnType('double precision').nullable(),
    max_value: p.float().columnType('double precision').nullable(),
    known_count: p.integer(),
    unknown_count: p.integer(),
    reason: p.text().nullable(),
  },
});

/**
 * When a tenant is to be told (S2-34, S2-51). Written by `configureSystemAlerts` only; a removed one stays for its
 * alerts.
 */
export const AlertThresholdEntity = defineEntity({
  name: 'AlertThreshold',
  tableName: 'admin_alert_thresholds',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    name: p.text(),
    metric: p.text().$type<HealthMetricName>(),
    comparator: p.text().$type<AlertComparator>(),
    threshold: p.float().columnType('double precision'),
    clear_threshold: p.float().columnType('double precision'),
    aggregate: p.text().$type<AlertAggregate>(),
    window_seconds: p.integer(),
    for_seconds: p.integer(),
    severity: p.text().$type<AlertSeverity>(),
    channel_ids: p.array().columnType('uuid[]').defaultRaw("'{}'"),
    note: p.text().nullable(),
    is_enabled: p.boolean(),
    ...updatedAt,
    removed_at: timestamp().nullable(),
  },
});

/** The version of a tenant's set of thresholds, which is replaced as a whole. */
export const AlertSettingsEntity = defineEntity({
  name: 'AlertSettings',
  tableName: 'admin_alert_settings',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    updated_by: p.uuid().nullable(),
    ...versionedColumns,
  },
});

/** One episode of a threshold: pending, firing, resolved. Written by the evaluation only. */
export const AlertEntity = defineEntity({
  name: 'Alert',
  tableName: 'admin_alerts',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    threshold_id: p.uuid(),
    name: p.text(),
    metric: p.text().$type<HealthMetricName>(),
    severity: p.text().$type<AlertSeverity>(),
    status: p.text().$type<AlertStatus>(),
    /** What was seen at the last change of status. */
    value: p.float().columnType('double precision').nullable(),
    pending_since: timestamp().nullable(),
    fired_at: timestamp().nullable(),
    resolved_at: timestamp().nullable(),
    resolve_reason: p.text().nullable().$type<'recovered' | 'removed'>(),
    suppressed_at: timestamp().nullable(),
    firing_told_at: timestamp().nullable(),
    resolved_told_at: timestamp().nullable(),
  },
});

/** Holds back the news of alerts for a time, with somebody who answers for it. */
export const AlertSilenceEntity = defineEntity({
  name: 'AlertSilence',
  tableName: 'admin_alert_silences',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    /** The silenced threshold; null silences all. */
    threshold_id: p.uuid().nullable(),
    owner_id: p.uuid(),
    reason: p.text(),
    starts_at: timestamp(),
    ends_at: timestamp(),
    /** Ended by a person before its time. */
    ended_at: timestamp().nullable(),
    ended_by: p.uuid().nullable(),
    /** When it was told that the silence has run out. Written by the evaluation. */
    lapse_told_at: timestamp().nullable(),
    ...versionedColumns,
  },
});
