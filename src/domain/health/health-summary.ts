import { healthRoundMs } from './health-history.ts';
import { healthComponents, healthMetrics, isHealthMetric } from './health-metric.ts';
import type { HealthComponent, HealthMetricName } from './health-metric.ts';
import { auditState } from './audit-state.ts';
import type { AuditVerdict } from './audit-state.ts';
import { componentStatus, worstStatus } from './health-status.ts';
import type { HealthStatus } from './health-status.ts';

/** A measurement as it is read. */
interface MeasurementRow {
  readonly metric: string;
  readonly value: number | null;
  readonly reason: string | null;
  readonly at: string;
}

/** What the API finds out itself, because nothing is measured while it is missing. */
interface PresentState {
  readonly temporal: 'up' | 'down';
  readonly worker: 'up' | 'down' | 'unknown';
  /** What is missing, in words. */
  readonly missing: readonly string[];
  /** Redis is an option: without it PostgreSQL keeps the queues. */
  readonly hasRedis: boolean;
  /** The newest verification of each audit chain that the caller's tenant answers for. */
  readonly audit: readonly AuditVerdict[];
}

type Measured = MeasurementRow & { readonly metric: HealthMetricName };

/** The metrics that are 1 or 0. */
type UpMetric = {
  [Name in HealthMetricName]: (typeof healthMetrics)[Name]['unit'] extends 'up' ? Name : never;
}[HealthMetricName];

/** What a 0 of these says: a number is measured without a reason, and its component is down for it. */
const whenZero: Readonly<Record<UpMetric, string>> = {
  'api.up': 'An API instance does not answer.',
  'database.up': 'PostgreSQL does not answer.',
  'temporal.up': 'Temporal does not answer.',
  'redis.up': 'Redis does not answer; the queues that it keeps cannot be reached.',
  'alerting.watchdog_up': 'The external watcher did not take the last ping.',
  'audit.intact': 'The audit log does not verify.',
};

/** Measuring counts as stopped after this long without a measurement: five rounds. */
const staleMs = 5 * healthRoundMs;

/** The title and unit of a metric. */
export function describeMetric(metric: HealthMetricName) {
  const { title, unit } = healthMetrics[metric];
  return { title, unit };
}

/**
 * Summarizes the health of every component. Measurements from before the collector stopped are not shown as the present
 * state. When the evaluation has stopped, the component `alerting` is down; before its first round it is unknown. The
 * collector is work of the worker: that Temporal, its namespace or the worker is missing is not measured but found out now.
 *
 * @param rows the newest measurement of each metric.
 * @param alerts `firing`: metrics that have a firing alert; `wasEvaluated`: whether thresholds were ever evaluated.
 * @param present Temporal, the worker and the audit as they are now.
 * @param now milliseconds since the epoch.
 */
export function summarizeHealth(
  rows: readonly MeasurementRow[],
  alerts: { readonly firing: ReadonlySet<string>; readonly wasEvaluated: boolean },
  present: PresentState,
  now: number,
) {
  const measured = rows.flatMap((row): Measured[] =>
    isHealthMetric(row.metric) ? [{ ...row, metric: row.metric }] : [],
  );
  const components = healthComponents.flatMap((component): ComponentSummary[] => {
    const own = measured.filter(({ metric }) => healthMetrics[metric].component === component);
    const scope = scopeOf(component);
    // A component without measurements is left out where that is normal: no thresholds or queues, no TLS.
    const found = component === 'audit' ? auditState(present.audit) : undefined;
    if (own.length === 0 && found === undefined && (scope === 'tenant' || component === 'certificates')) return [];
    if (component === 'redis' && !present.hasRedis) return [{ component, scope, ...withoutRedis, metrics: [] }];
    const metrics = own.map((row) => ({ ...row, ...describeMetric(row.metric) }));
    const measuredState = presentStateOf(component, present) ?? stateOf(component, own, alerts, now);
    const state = found === undefined ? measuredState : worseOf(found, measuredState, own.length > 0);
    return [{ component, scope, ...state, metrics }];
  });
  const known = components.flatMap(({ status }) => (status === 'not_configured' ? [] : [status]));
  const measuredAt = newestOf(measured.filter(({ metric }) => isOfCollector(metric)));
  return {
    status: worstStatus(known),
    measured_at: measuredAt,
    age_seconds: measuredAt === null ? null : Math.max(0, Math.floor((now - Date.parse(measuredAt)) / 1000)),
    evaluated_at: newestOf(measured.filter(({ metric }) => metric === 'alerting.evaluated')),
    components,
  };
}

/** A component as health shows it. */
interface ComponentSummary {
  readonly component: HealthComponent;
  readonly scope: 'platform' | 'tenant';
  readonly status: HealthStatus | 'not_configured';
  readonly reason: string | null;
  readonly metrics: readonly (Measured & ReturnType<typeof describeMetric>)[];
}

const withoutRedis = { status: 'not_configured' as const, reason: 'REDIS_URL is not set; PostgreSQL keeps the queues.' };

/** What was found about the audit, unless what was measured is worse. */
function worseOf<State extends { status: HealthStatus; reason: string | null }>(found: State, measured: State, isMeasured: boolean): State {
  if (!isMeasured || found.status === 'down') return found;
  return worstStatus([found.status, measured.status]) === found.status ? found : measured;
}

/** Undefined for what measurements tell of. */
function presentStateOf(
  component: HealthComponent,
  { temporal, worker, missing }: PresentState,
): { status: HealthStatus; reason: string | null } | undefined {
  const reason = missing.length === 0 ? null : `Missing: ${missing.join(', ')}.`;
  if (component === 'worker') return { status: worker, reason };
  return component === 'temporal' && temporal === 'down' ? { status: 'down', reason } : undefined;
}

function stateOf(
  component: HealthComponent,
  rows: readonly Measured[],
  { firing, wasEvaluated }: { readonly firing: ReadonlySet<string>; readonly wasEvaluated: boolean },
  now: number,
): { status: HealthStatus; reason: string | null } {
  const newest = newestOf(rows);
  if (newest === null || now - Date.parse(newest) > staleMs) {
    if (component !== 'alerting') return { status: 'unknown', reason: 'It was not measured for five minutes.' };
    return wasEvaluated
      ? { status: 'down', reason: 'The alert evaluation has not run for five minutes.' }
      : { status: 'unknown', reason: 'The alert evaluation has not run yet.' };
  }
  return { status: componentStatus(rows, firing), reason: rows.map(reasonOf).find((reason) => reason !== null) ?? null };
}

function reasonOf({ metric, value, reason }: Measured): string | null {
  return value === 0 && isUpMetric(metric) ? whenZero[metric] : reason;
}

function isUpMetric(metric: HealthMetricName): metric is UpMetric {
  return healthMetrics[metric].unit === 'up';
}

/** All metrics of a component have the same scope. */
function scopeOf(component: HealthComponent): 'platform' | 'tenant' {
  return Object.values(healthMetrics).find((metric) => metric.component === component)?.scope ?? 'platform';
}

/** The metrics of alerting are written by the evaluation, so they do not show that the collector runs. */
function isOfCollector(metric: HealthMetricName): boolean {
  return healthMetrics[metric].scope === 'platform' && healthMetrics[metric].component !== 'alerting';
}

function newestOf(rows: readonly MeasurementRow[]): string | null {
  return (
    rows
      .map(({ at }) => at)
      .sort()
      .at(-1) ?? null
  );
}
