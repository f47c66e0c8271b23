/**
 * The thresholds that a tenant begins with. Frozen with the migration that creates them; `docs/health.md` says why each
 * number. `platform` ones go to the default tenant, whose staff run the installation, `tenant` ones to everybody.
 */
const defaultThresholds: readonly {
  readonly scope: 'platform' | 'tenant';
  readonly name: string;
  readonly metric: string;
  readonly comparator: 'gt' | 'gte' | 'lt';
  readonly threshold: number;
  readonly clear_threshold: number;
  readonly window_seconds?: number;
  readonly for_seconds: number;
  readonly severity: 'warning' | 'critical';
  readonly note: string;
}[] = [
  {
    scope: 'platform',
    name: 'API instance down',
    metric: 'api.instances_down',
    comparator: 'gt',
    threshold: 0,
    clear_threshold: 0,
    for_seconds: 180,
    severity: 'critical',
    note: 'An instance of HEALTH_API_URLS does not answer. Look at its log and at its readiness answer.',
  },
  {
    scope: 'platform',
    name: 'API errors',
    metric: 'api.error_ratio',
    comparator: 'gt',
    threshold: 0.05,
    clear_threshold: 0.01,
    window_seconds: 300,
    for_seconds: 120,
    severity: 'critical',
    note: 'One request in twenty ends with a status of 5xx. The log of the API names the cause by request id.',
  },
  {
    scope: 'platform',
    name: 'Database slow',
    metric: 'database.latency_ms',
    comparator: 'gt',
    threshold: 250,
    clear_threshold: 100,
    window_seconds: 300,
    for_seconds: 120,
    severity: 'warning',
    note: 'An empty round trip takes this long, so every call does. Look for load, locks and the network.',
  },
  {
    scope: 'platform',
    name: 'Database connections',
    metric: 'database.connection_ratio',
    comparator: 'gte',
    threshold: 0.8,
    clear_threshold: 0.7,
    for_seconds: 180,
    severity: 'critical',
    note: 'When none is left everything stands still. Look in pg_stat_activity for who holds them.',
  },
  {
    scope: 'platform',
    name: 'Database standby behind',
    metric: 'database.replication_lag_seconds',
    comparator: 'gt',
    threshold: 60,
    clear_threshold: 10,
    for_seconds: 300,
    severity: 'warning',
    note: 'What was committed meanwhile would be lost with the primary.',
  },
  {
    scope: 'platform',
    name: 'Task queue backlog',
    metric: 'temporal.backlog_age_seconds',
    comparator: 'gt',
    threshold: 60,
    clear_threshold: 10,
    for_seconds: 180,
    severity: 'critical',
    note: 'Workflows wait for workers. Start more workers, or look why those that run take nothing.',
  },
  {
    scope: 'platform',
    name: 'Failed workflows',
    metric: 'temporal.failed_workflows',
    comparator: 'gte',
    threshold: 5,
    clear_threshold: 2,
    for_seconds: 0,
    severity: 'warning',
    note: 'Temporal Web lists them by ExecutionStatus = "Failed"; the last event of each tells why.',
  },
  {
    scope: 'platform',
    name: 'Certificate expires',
    metric: 'certificates.days_left',
    comparator: 'lt',
    threshold: 21,
    clear_threshold: 21,
    for_seconds: 0,
    severity: 'warning',
    note: 'It was not renewed when it was due.',
  },
  {
    scope: 'platform',
    name: 'Tenants without evaluation',
    metric: 'alerting.failed_tenants',
    comparator: 'gt',
    threshold: 0,
    clear_threshold: 0,
    for_seconds: 300,
    severity: 'critical',
    note: 'Their alerts neither fire nor resolve. The log of the worker names tenant and cause.',
  },
  {
    scope: 'tenant',
    name: 'Queue stalled',
    metric: 'queues.oldest_waiting_seconds',
    comparator: 'gt',
    threshold: 900,
    clear_threshold: 300,
    for_seconds: 300,
    severity: 'warning',
    note: 'A job has waited this long: the workers of its queue are away or too few, or the queue is paused.',
  },
  {
    scope: 'tenant',
    name: 'Queue engine away',
    metric: 'queues.unreachable',
    comparator: 'gt',
    threshold: 0,
    clear_threshold: 0,
    for_seconds: 300,
    severity: 'critical',
    note: 'The engine of a queue does not answer; jobs are neither taken nor seen.',
  },
  {
    scope: 'tenant',
    name: 'Integration failing',
    metric: 'integrations.failing',
    comparator: 'gt',
    threshold: 0,
    clear_threshold: 0,
    for_seconds: 900,
    severity: 'warning',
    note: 'The last sync of an integration failed. Its sync jobs name the cause.',
  },
  {
    scope: 'tenant',
    name: 'Old key not revoked',
    metric: 'integrations.stuck_revocations',
    comparator: 'gt',
    threshold: 0,
    clear_threshold: 0,
    for_seconds: 3600,
    severity: 'critical',
    note: 'A key that was exchanged still opens the remote system. Runbook: failed-revoke.',
  },
  {
    scope: 'tenant',
    name: 'Audit unsigned',
    metric: 'audit.checkpoint_lag_seconds',
    comparator: 'gt',
    threshold: 900,
    clear_threshold: 180,
    for_seconds: 0,
    severity: 'critical',
    note: 'Entries of the audit log stand without a signed checkpoint. Look at the Schedule audit-checkpoint.',
  },
  {
    scope: 'tenant',
    name: 'Service token expires',
    metric: 'credentials.days_left',
    comparator: 'lt',
    threshold: 14,
    clear_threshold: 14,
    for_seconds: 0,
    severity: 'warning',
    note: 'An application reads flags and configuration with it. Issue another one and revoke this one.',
  },
  {
    scope: 'tenant',
    name: 'Notifications given up',
    metric: 'notifications.failed',
    comparator: 'gt',
    threshold: 0,
    clear_threshold: 0,
    for_seconds: 0,
    severity: 'warning',
    note: 'Somebody was not told of something in the last day. The deliveries of the channel say why.',
  },
  {
    scope: 'tenant',
    name: 'Rollout waits',
    metric: 'rollouts.holding',
    comparator: 'gt',
    threshold: 0,
    clear_threshold: 0,
    for_seconds: 1800,
    severity: 'warning',
    note: 'Its guards do not know, so a person has to promote or abort it. Runbook: stuck-rollout.',
  },
];

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** A SELECT of the thresholds of one tenant; `tenantId` is an SQL expression. The columns are those of the insert. */
export function defaultThresholdsOf(tenantId: string, defaultTenantId: string): string {
  const rows = defaultThresholds.map((one) => {
    const numbers = [one.threshold, one.clear_threshold, one.window_seconds ?? 0, one.for_seconds];
    const words = [one.scope, one.name, one.metric, one.comparator, one.severity, one.note].map(text);
    return `(${[...words, ...numbers].join(', ')})`;
  });
  return `select ${tenantId}, d.name, d.metric, d.comparator, d.threshold, d.clear_threshold, 'avg', d.window_seconds,
      d.for_seconds, d.severity, d.note, true
    from (values ${rows.join(',\n      ')})
      as d (scope, name, metric, comparator, severity, note, threshold, clear_threshold, window_seconds, for_seconds)
    where d.scope = 'tenant' or ${tenantId} = '${defaultTenantId}'`;
}

/** The columns that {@link defaultThresholdsOf} selects. */
export const defaultThresholdColumns =
  'tenant_id, name, metric, comparator, threshold, clear_threshold, aggregate, window_seconds, for_seconds, severity, note, ' +
  'is_enabled';
