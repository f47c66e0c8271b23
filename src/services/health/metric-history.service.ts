import { maxHistoryPoints } from '../../domain/health/health-history.ts';
import type { HealthMetricName } from '../../domain/health/health-metric.ts';
import { describeMetric } from '../../domain/health/health-summary.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadConnections, ReadScope } from '../../platform/database/read.ts';
import { Problem } from '../../platform/problem.ts';
import { healthHistoryQuery } from './health.queries.ts';

const defaultSpanMs = 3_600_000;
const maxSpanMs = 400 * 86_400_000;

/** Which history is asked for; times are RFC 3339. */
interface HistoryRequest {
  readonly metric: HealthMetricName;
  /** An hour before `to` when left out. */
  readonly from?: string | undefined;
  /** Now when left out. */
  readonly to?: string | undefined;
  /** Length of a step in seconds. */
  readonly step: number;
}

/**
 * The history of one metric in steps of equal length.
 *
 * @param now milliseconds since the epoch.
 * @throws Problem `request.invalid` when the span is empty or too long, or has too many steps.
 */
export async function readMetricHistory(
  db: ReadConnections,
  scope: ReadScope,
  { metric, step, ...span }: HistoryRequest,
  now: number,
) {
  const to = span.to === undefined ? now : Date.parse(span.to);
  const from = span.from === undefined ? to - defaultSpanMs : Date.parse(span.from);
  assertSpan(from, to, step);
  const points = await read(
    db,
    scope,
    healthHistoryQuery({ metric, from, to, step_seconds: step }, scope.tenant_id, now),
  );
  return {
    metric,
    ...describeMetric(metric),
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    step_seconds: step,
    points,
  };
}

function assertSpan(from: number, to: number, stepSeconds: number): void {
  const fault =
    from >= to
      ? { pointer: '/query/from', detail: 'must be before `to`' }
      : to - from > maxSpanMs
        ? { pointer: '/query/from', detail: 'must be within 400 days of `to`' }
        : (to - from) / (stepSeconds * 1000) > maxHistoryPoints
          ? { pointer: '/query/step', detail: `must be long enough for at most ${maxHistoryPoints} steps` }
          : null;
  if (fault === null) return;
  throw new Problem({ code: 'request.invalid', detail: 'Request a shorter period or longer steps.', errors: [fault] });
}
