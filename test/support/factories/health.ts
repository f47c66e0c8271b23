import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { fromNow, hour, uniqueName } from './defaults.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Given, NewRow, Row, Target } from './row-insertion.ts';

export function newMeasurement(columns: Given<'admin_system_health', 'metric'>): NewRow<'admin_system_health'> {
  return { resolution_seconds: 0, at: fromNow(0), known_count: 1, unknown_count: 0, ...columns };
}

/** A single measurement of the platform. */
export function createMeasurement(
  target: Target,
  columns: Given<'admin_system_health', 'metric'>,
): Promise<Row<'admin_system_health'>> {
  return insertRow(target, 'admin_system_health', newMeasurement(columns));
}

export function newAlertThreshold(columns: Columns<'admin_alert_thresholds'> = {}): NewRow<'admin_alert_thresholds'> {
  return {
    tenant_id: defaultTenantId,
    name: uniqueName('threshold'),
    metric: 'api.up',
    comparator: 'lt',
    threshold: 1,
    clear_threshold: 1,
    aggregate: 'avg',
    window_seconds: 0,
    for_seconds: 0,
    severity: 'warning',
    is_enabled: true,
    ...columns,
  };
}

/** A threshold that warns when the API is down. */
export function createAlertThreshold(
  target: Target,
  columns?: Columns<'admin_alert_thresholds'>,
): Promise<Row<'admin_alert_thresholds'>> {
  return insertRow(target, 'admin_alert_thresholds', newAlertThreshold(columns));
}

/** An alert of a threshold that fires since now. */
export function createAlert(
  target: Target,
  threshold: Row<'admin_alert_thresholds'>,
  columns: Columns<'admin_alerts'> = {},
): Promise<Row<'admin_alerts'>> {
  const { id, tenant_id, name, metric, severity } = threshold;
  const shared = { tenant_id, threshold_id: id, name, metric, severity };
  return insertRow(target, 'admin_alerts', { ...shared, status: 'firing', fired_at: fromNow(0), ...columns });
}

/** A silence of all alerts for an hour. */
export function createAlertSilence(
  target: Target,
  columns: Given<'admin_alert_silences', 'owner_id'>,
): Promise<Row<'admin_alert_silences'>> {
  return insertRow(target, 'admin_alert_silences', {
    tenant_id: defaultTenantId,
    reason: 'a test is at work',
    starts_at: fromNow(0),
    ends_at: fromNow(hour),
    ...columns,
  });
}
