import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, ServiceError, isGrpcServiceError } from '@temporalio/client';
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
 * After a Temporal that was killed has come back, a question to a schedule first waits ten seconds for the system's worker
 * that is gone, now and then for half a minute; asked again, it is answered at once.
 */
const answerTimeoutMs = 5_000;
const maxAttempts = 6;
/** gRPC: DEADLINE_EXCEEDED, UNAVAILABLE. */
const passingCodes: readonly number[] = [4, 14];

/**
 * Creates the schedules that are missing and brings the interval of the others up to date, all at the same time. A schedule
 * that an operator has paused stays paused.
 *
 * @throws ServiceError when one of them could not be asked for half a minute.
 */
export async function ensureSchedules(client: Client, taskQueue: string, specs: readonly ScheduleSpec[]): Promise<void> {
  await Promise.all(specs.map((spec) => patiently(client, () => ensureSchedule(client, taskQueue, spec))));
}

async function ensureSchedule(client: Client, taskQueue: string, spec: ScheduleSpec): Promise<void> {
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

async function patiently(client: Client, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await client.withDeadline(Date.now() + answerTimeoutMs, work);
    } catch (error) {
      if (!isPassing(error) || attempt === maxAttempts) throw error;
    }
  }
}

function isPassing(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : undefined;
  return isGrpcServiceError(cause) && passingCodes.includes(cause.code);
}
