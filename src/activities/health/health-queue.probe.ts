import type { HealthMeasurement, HealthMetricName } from '../../domain/health/health-metric.ts';
import { measurementsOf } from '../../domain/health/health-metric.ts';
import type { QueueSnapshot } from '../../platform/outbound/queue-provider.ts';
import { measuredQueues } from '../../services/queue/queue.queries.ts';
import type { ActivityDeps } from '../deps.ts';

const metrics: readonly HealthMetricName[] = [
  'queues.oldest_waiting_seconds',
  'queues.waiting',
  'queues.failed',
  'queues.paused',
  'queues.unreachable',
];

/** Queues of one tenant that are measured in a round at most. */
const maxQueues = 100;
/** Queues that are measured at the same time. */
const concurrency = 10;

/**
 * Measures the queues of a tenant in their engines. The age of the oldest waiting job also grows while nothing is processed
 * at all, so it shows that a queue is stalled. Without a queue there are no measurements.
 */
export async function measureQueues(
  { db, queues }: Pick<ActivityDeps, 'db' | 'queues'>,
  tenantId: string,
): Promise<HealthMeasurement[]> {
  const registered = await measuredQueues(db, tenantId, maxQueues);
  if (registered.length === 0) return [];
  const found: (QueueSnapshot | null)[] = [];
  for (let from = 0; from < registered.length; from += concurrency) {
    const asked = registered.slice(from, from + concurrency).map((row) => queues.of(row.provider).snapshot(row));
    const settled = await Promise.allSettled(asked);
    found.push(...settled.map((result) => (result.status === 'fulfilled' ? result.value : null)));
  }
  const known = found.filter((snapshot) => snapshot !== null);
  const unreachable = found.length - known.length;
  if (known.length === 0) {
    // The number of waiting jobs is unknown, not zero; that no engine answers is known.
    const unknown = measurementsOf(metrics, { failure: 'No engine answers.' });
    return unknown.map((one) =>
      one.metric === 'queues.unreachable' ? { ...one, value: unreachable, reason: null } : one,
    );
  }
  const sum = (of: (snapshot: QueueSnapshot) => number) => known.reduce((total, snapshot) => total + of(snapshot), 0);
  return measurementsOf(metrics, {
    readings: {
      'queues.oldest_waiting_seconds': Math.max(0, ...known.map((snapshot) => snapshot.oldest_waiting_seconds ?? 0)),
      'queues.waiting': sum(({ counts }) => (counts.waiting ?? 0) + (counts.prioritized ?? 0)),
      'queues.failed': sum(({ counts }) => counts.failed ?? 0),
      'queues.paused': sum((snapshot) => (snapshot.is_paused ? 1 : 0)),
      'queues.unreachable': unreachable,
    },
  });
}
