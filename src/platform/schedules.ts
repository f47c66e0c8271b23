import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { Client } from '@temporalio/client';

interface ScheduleSpec {
  readonly scheduleId: string;
  readonly workflowType: string;
  readonly everyMs: number;
  /** Arguments of the workflow; none when left out. */
  readonly args?: readonly unknown[];
  readonly catchupWindowMs: number;
  readonly note: string;
}

/**
 * Creates the schedules that are missing and brings the interval of the others up to date. A schedule that an operator
 * has paused stays paused.
 */
export async function ensureSchedules(client: Client, taskQueue: string, specs: readonly ScheduleSpec[]): Promise<void> {
  for (const spec of specs) {
    const options = {
      spec: { intervals: [{ every: spec.everyMs }] },
      action: {
        type: 'startWorkflow' as const,
        workflowType: spec.workflowType,
        workflowId: spec.scheduleId,
        taskQueue,
        args: [...(spec.args ?? [])],
      },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: spec.catchupWindowMs },
    };
    try {
      await client.schedule.create({ scheduleId: spec.scheduleId, ...options, state: { note: spec.note } });
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      await client.schedule.getHandle(spec.scheduleId).update((current) => ({ ...current, ...options }));
    }
  }
}
