/**
 * The closed catalogue of health metrics (S2-32). `platform` metrics belong to the installation and are the same for
 * everybody who may see health; `tenant` metrics belong to one tenant and are visible to it alone.
 */

/** The unit of a metric. `up` is 1 or 0; a ratio is between 0 and 1. */
type HealthUnit = 'up' | 'ms' | 'seconds' | 'days' | 'count' | 'per_second' | 'ratio';

/**
 * The components whose health is shown; the first part of a metric's name. `worker` has no metric: the collector is work of
 * the worker, so only the API can see that there is none.
 */
export const healthComponents = [
  'api',
  'database',
  'temporal',
  'worker',
  'redis',
  'certificates',
  'alerting',
  'approvals',
  'audit',
  'credentials',
  'integrations',
  'notifications',
  'queues',
  'rollouts',
] as const;

/** One of {@link healthComponents}. */
export type HealthComponent = (typeof healthComponents)[number];

/** An entry of the catalogue. */
interface HealthMetric {
  readonly component: HealthComponent;
  readonly scope: 'platform' | 'tenant';
  readonly unit: HealthUnit;
  readonly title: string;
}

/** All metrics by name. A new metric is added here, and a probe that measures it. */
export const healthMetrics = {
  'api.up': { component: 'api', scope: 'platform', unit: 'up', title: 'Every API instance answers' },
  'api.instances_down': {
    component: 'api',
    scope: 'platform',
    unit: 'count',
    title: 'API instances that do not answer',
  },
  'api.latency_ms': {
    component: 'api',
    scope: 'platform',
    unit: 'ms',
    title: 'Slowest readiness answer of an instance',
  },
  'api.requests_per_second': {
    component: 'api',
    scope: 'platform',
    unit: 'per_second',
    title: 'Requests since the last round',
  },
  'api.error_ratio': {
    component: 'api',
    scope: 'platform',
    unit: 'ratio',
    title: 'Answers with status 5xx since the last round',
  },
  'api.event_loop_lag_ms': {
    component: 'api',
    scope: 'platform',
    unit: 'ms',
    title: 'Event loop lag, 99th percentile, worst instance',
  },
  'database.up': { component: 'database', scope: 'platform', unit: 'up', title: 'PostgreSQL answers' },
  'database.latency_ms': {
    component: 'database',
    scope: 'platform',
    unit: 'ms',
    title: 'One round trip to PostgreSQL',
  },
  'database.connections': { component: 'database', scope: 'platform', unit: 'count', title: 'Open connections' },
  'database.connection_ratio': {
    component: 'database',
    scope: 'platform',
    unit: 'ratio',
    title: 'Open connections of those possible',
  },
  'database.replicas': { component: 'database', scope: 'platform', unit: 'count', title: 'Standbys that stream' },
  'database.replication_lag_seconds': {
    component: 'database',
    scope: 'platform',
    unit: 'seconds',
    title: 'Replay lag of the slowest standby',
  },
  'temporal.up': { component: 'temporal', scope: 'platform', unit: 'up', title: 'Temporal answers' },
  'temporal.latency_ms': { component: 'temporal', scope: 'platform', unit: 'ms', title: 'One call to Temporal' },
  'temporal.backlog': {
    component: 'temporal',
    scope: 'platform',
    unit: 'count',
    title: 'Tasks that wait for a worker',
  },
  'temporal.backlog_age_seconds': {
    component: 'temporal',
    scope: 'platform',
    unit: 'seconds',
    title: 'Age of the oldest waiting task',
  },
  'temporal.pollers': { component: 'temporal', scope: 'platform', unit: 'count', title: 'Workers that ask for tasks' },
  'temporal.failed_workflows': {
    component: 'temporal',
    scope: 'platform',
    unit: 'count',
    title: 'Workflows that failed in the last hour',
  },
  'redis.up': { component: 'redis', scope: 'platform', unit: 'up', title: 'Redis answers' },
  'redis.latency_ms': { component: 'redis', scope: 'platform', unit: 'ms', title: 'One round trip to Redis' },
  'certificates.days_left': {
    component: 'certificates',
    scope: 'platform',
    unit: 'days',
    title: 'Until the first TLS certificate expires',
  },
  'alerting.evaluated': {
    component: 'alerting',
    scope: 'platform',
    unit: 'count',
    title: 'Thresholds evaluated in the last round',
  },
  'alerting.failed_tenants': {
    component: 'alerting',
    scope: 'platform',
    unit: 'count',
    title: 'Tenants whose thresholds could not be evaluated',
  },
  'alerting.watchdog_up': {
    component: 'alerting',
    scope: 'platform',
    unit: 'up',
    title: 'The external watcher took the last ping',
  },
  'approvals.pending': {
    component: 'approvals',
    scope: 'tenant',
    unit: 'count',
    title: 'Changes that wait for approval',
  },
  'approvals.oldest_pending_seconds': {
    component: 'approvals',
    scope: 'tenant',
    unit: 'seconds',
    title: 'Age of the oldest waiting change',
  },
  'approvals.pairs': {
    component: 'approvals',
    scope: 'tenant',
    unit: 'count',
    title: 'Administrators who can approve for one another: 0 no two, 1 as long as nobody leaves, 2 also then',
  },
  'approvals.super_admins': {
    component: 'approvals',
    scope: 'tenant',
    unit: 'count',
    title: 'Active super admins',
  },
  'audit.checkpoint_lag_seconds': {
    component: 'audit',
    scope: 'tenant',
    unit: 'seconds',
    title: 'Time for which audit entries have stood unsigned',
  },
  'audit.intact': {
    component: 'audit',
    scope: 'tenant',
    unit: 'up',
    title: 'The audit log verifies',
  },
  'audit.unanchored': {
    component: 'audit',
    scope: 'tenant',
    unit: 'count',
    title: 'Audit chains that no checkpoint from outside the database anchors',
  },
  'credentials.days_left': {
    component: 'credentials',
    scope: 'tenant',
    unit: 'days',
    title: 'Until the first service token expires',
  },
  'integrations.failing': {
    component: 'integrations',
    scope: 'tenant',
    unit: 'count',
    title: 'Integrations whose last sync failed',
  },
  'integrations.stuck_revocations': {
    component: 'integrations',
    scope: 'tenant',
    unit: 'count',
    title: 'Old keys that could not be revoked yet',
  },
  'notifications.failed': {
    component: 'notifications',
    scope: 'tenant',
    unit: 'count',
    title: 'Notifications given up in the last day',
  },
  'notifications.oldest_pending_seconds': {
    component: 'notifications',
    scope: 'tenant',
    unit: 'seconds',
    title: 'Age of the oldest undelivered notification',
  },
  'queues.oldest_waiting_seconds': {
    component: 'queues',
    scope: 'tenant',
    unit: 'seconds',
    title: 'Age of the oldest waiting job',
  },
  'queues.waiting': { component: 'queues', scope: 'tenant', unit: 'count', title: 'Jobs that wait' },
  'queues.failed': { component: 'queues', scope: 'tenant', unit: 'count', title: 'Failed jobs that are stored' },
  'queues.paused': { component: 'queues', scope: 'tenant', unit: 'count', title: 'Paused queues' },
  'queues.unreachable': {
    component: 'queues',
    scope: 'tenant',
    unit: 'count',
    title: 'Queues whose engine does not answer',
  },
  'rollouts.holding': {
    component: 'rollouts',
    scope: 'tenant',
    unit: 'count',
    title: 'Rollouts that wait for a person',
  },
} as const satisfies Record<string, HealthMetric>;

/** Name of a metric. */
export type HealthMetricName = keyof typeof healthMetrics;

/** All names in the order of the catalogue. */
export const allHealthMetrics = Object.keys(healthMetrics) as HealthMetricName[];

/** Names of one scope. */
export function healthMetricsOf(scope: HealthMetric['scope']): HealthMetricName[] {
  return allHealthMetrics.filter((name) => healthMetrics[name].scope === scope);
}

/** True for the name of a metric in the catalogue; stored rows of an earlier release may have other names. */
export function isHealthMetric(name: string): name is HealthMetricName {
  return Object.hasOwn(healthMetrics, name);
}

/** The result of a probe: a number, or the reason why it is unknown. Unknown is neither zero nor healthy. */
export type HealthReading = number | { readonly unknown: string };

/** One metric at one time. */
export interface HealthMeasurement {
  readonly metric: HealthMetricName;
  /** Null when unknown; then `reason` says why. */
  readonly value: number | null;
  readonly reason: string | null;
}

/** Longest text of a reason. */
const maxReasonLength = 300;

/**
 * Makes measurements of a probe's readings. A metric without a reading does not apply (replication lag without a standby)
 * and is left out; with `failure` all metrics are unknown for that reason.
 */
export function measurementsOf(
  metrics: readonly HealthMetricName[],
  found:
    { readonly readings: Readonly<Partial<Record<HealthMetricName, HealthReading>>> } | { readonly failure: string },
): HealthMeasurement[] {
  return metrics.flatMap((metric): HealthMeasurement[] => {
    const reading = 'failure' in found ? { unknown: found.failure } : found.readings[metric];
    if (reading === undefined) return [];
    if (typeof reading === 'number' && Number.isFinite(reading)) return [{ metric, value: reading, reason: null }];
    const reason = typeof reading === 'number' ? 'The probe gave no number.' : reading.unknown;
    return [{ metric, value: null, reason: reason.slice(0, maxReasonLength) }];
  });
}
