import type { AlertAggregate, AlertComparator, AlertSeverity, AlertStatus } from '../../domain/health/alert.ts';
import type { HealthResolution } from '../../domain/health/health-history.ts';
import type { HealthMetricName } from '../../domain/health/health-metric.ts';
import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, sharedPolicies, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/**
 * Measurements and their averages (S2-51). Rows without a tenant belong to the platform: every tenant reads them, and only
 * the function `record_platform_health` writes them. The key is a bigint, because rows are inserted every minute and in
 * order.
 */
export const SystemHealthEntity = defineEntity({
  name: 'SystemHealth',
  tableName: 'admin_system_health',
  rowLevelSecurity: 'force',
  policies: sharedPolicies,
  properties: {
    id: p.bigint('number').primary().autoincrement().generated('identity'),
    tenant_id: p.uuid().nullable(),
    metric: p.text().$type<HealthMetricName>(),
    /** Seconds that the row covers; 0 is a single measurement. */
    resolution_seconds: p.integer().$type<HealthResolution>(),
    /** The time of the measurement, or the begin of the interval. */
    at: timestamp(),
    /** The measurement, or the average of the known ones; null when unknown. */
    value: p.float().columnType('double precision').nullable(),
    min_value: p.float().columnType('double precision').nullable(),
    max_value: p.float().columnType('double precision').nullable(),
    known_count: p.integer(),
    unknown_count: p.integer(),
    reason: p.text().nullable(),
  },
});

/**
 * A threshold of a tenant (S2-34, S2-51). Written by `configureSystemAlerts` only; a removed one is kept for its alerts.
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
    removed_at: timestamp().nullable(),
    ...versionedColumns,
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

/** One alert, that is, one episode of a threshold: pending, firing, resolved. Written by the evaluation only. */
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
    /** The observed value at the last change of status. */
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

/** Holds back the notifications of alerts for a time; has an owner. */
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
    /** When a person ended it before its time. */
    ended_at: timestamp().nullable(),
    ended_by: p.uuid().nullable(),
    /** When owner and channels were notified that it has run out. Written by the evaluation. */
    lapse_told_at: timestamp().nullable(),
    ...versionedColumns,
  },
});
