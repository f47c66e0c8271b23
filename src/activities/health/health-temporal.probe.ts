import type { TemporalClient } from '../../platform/temporal/temporal-client.ts';
import { isPollerAlive, taskQueueTypes } from '../../platform/temporal/temporal-status.ts';
import type { HealthProbe } from './health-probe.ts';

const failedWithinMs = 3_600_000;

/**
 * Measures the availability of Temporal and of our namespace in it, the backlog of our task queue, and failed workflows. The
 * collector is a workflow itself: while Temporal is unavailable it does not run, which the external watcher and every reader of
 * health notice.
 */
export function createTemporalProbe(temporal: TemporalClient): HealthProbe {
  const { taskQueue } = temporal;
  return {
    metrics: [
      'temporal.up',
      'temporal.latency_ms',
      'temporal.backlog',
      'temporal.backlog_age_seconds',
      'temporal.pollers',
      'temporal.failed_workflows',
    ],
    measure: () =>
      temporal.call(async ({ workflowService, options: { namespace } }) => {
        const startedAt = performance.now();
        await workflowService.describeNamespace({ namespace });
        const latency = performance.now() - startedAt;
        const since = new Date(Date.now() - failedWithinMs).toISOString();
        const [failed, ...queues] = await Promise.all([
          workflowService.countWorkflowExecutions({
            namespace,
            query: `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Failed' AND CloseTime > '${since}'`,
          }),
          ...Object.values(taskQueueTypes).map((taskQueueType) =>
            workflowService.describeTaskQueue({
              namespace,
              taskQueue: { name: taskQueue },
              taskQueueType,
              reportStats: true,
            }),
          ),
        ]);
        return {
          'temporal.up': 1,
          'temporal.latency_ms': latency,
          'temporal.backlog': sum(queues.map(({ stats }) => Number(stats?.approximateBacklogCount ?? 0))),
          'temporal.backlog_age_seconds': Math.max(
            0,
            ...queues.map(({ stats }) => Number(stats?.approximateBacklogAge?.seconds ?? 0)),
          ),
          'temporal.pollers': new Set(
            queues.flatMap(({ pollers }) =>
              (pollers ?? []).filter((poller) => isPollerAlive(poller)).map(({ identity }) => identity),
            ),
          ).size,
          'temporal.failed_workflows': Number(failed.count),
        };
      }),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
