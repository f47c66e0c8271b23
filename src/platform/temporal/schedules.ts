import { setTimeout as sleep } from 'node:timers/promises';
import { ScheduleAlreadyRunning, ScheduleNotFoundError, ScheduleOverlapPolicy, ServiceError, isGrpcServiceError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import type { Logger } from '../observability/logger.ts';

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
 * After a Temporal server that was killed has restarted, a call to a Schedule first waits about ten seconds, sometimes half
 * a minute, for the server's own worker that is gone; a repeated call is answered at once. Hence short deadlines and retries.
 */
const answerTimeoutMs = 5_000;
const maxAttempts = 6;
/** gRPC: DEADLINE_EXCEEDED, UNAVAILABLE. */
const transientCodes: readonly number[] = [4, 14];
/** Between two rounds of the reconciliation, doubled from the one to the other. */
const pauseMs = { first: 1_000, longest: 30_000 } as const;

/**
 * Creates the Schedules that are missing and updates the others, all at the same time. A Schedule that an operator has
 * paused stays paused.
 *
 * @throws ServiceError when one of them did not answer for half a minute.
 */
export async function ensureSchedules(client: Client, taskQueue: string, specs: readonly ScheduleSpec[]): Promise<void> {
  await Promise.all(specs.map((spec) => withRetries(client, () => ensureSchedule(client, taskQueue, spec))));
}

/**
 * Does the same in the background for as long as it takes, because a worker polls for work that waits already while Temporal
 * is slow with its Schedules. Never throws; each failure is logged.
 *
 * @param retired ids of Schedules that are removed where they are still there.
 * @param signal ends it.
 * @returns whether all Schedules are in place; false when it was ended before.
 */
export async function reconcileSchedules(
  client: Client,
  taskQueue: string,
  specs: readonly ScheduleSpec[],
  { log, signal, retired = [] }: { log: Logger; signal: AbortSignal; retired?: readonly string[] },
): Promise<boolean> {
  for (let pause: number = pauseMs.first; !signal.aborted; pause = Math.min(2 * pause, pauseMs.longest)) {
    try {
      await client.withAbortSignal(signal, async () => {
        await Promise.all(retired.map((id) => withRetries(client, () => removeSchedule(client, id))));
        await ensureSchedules(client, taskQueue, specs);
      });
      return true;
    } catch (error) {
      if (signal.aborted) break;
      log.warn({ err: error, retry_in_ms: pause }, 'the Schedules could not be reconciled');
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
  return false;
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

/** Removes a Schedule; one that is gone already is no error. */
export async function removeSchedule(client: Client, scheduleId: string): Promise<void> {
  try {
    await client.schedule.getHandle(scheduleId).delete();
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}

async function withRetries(client: Client, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await client.withDeadline(Date.now() + answerTimeoutMs, work);
    } catch (error) {
      if (!isTransient(error) || attempt === maxAttempts) throw error;
    }
  }
}

function isTransient(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : undefined;
  return isGrpcServiceError(cause) && transientCodes.includes(cause.code);
}
