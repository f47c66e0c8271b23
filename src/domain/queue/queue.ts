import { defaultTenantId } from '../shared/actor.ts';

/** The engines whose queues can be administered (S2-67). */
export const queueProviderNames = ['bullmq', 'temporal'] as const;
export type QueueProviderName = (typeof queueProviderNames)[number];

/** What an operator can do to a queue; a provider declares which of it its engine supports. */
export const queueCapabilities = ['pause', 'retry', 'promote', 'remove', 'clean'] as const;
export type QueueCapability = (typeof queueCapabilities)[number];

/** The states of jobs. A provider knows some of them; in `completed` and `failed` a job is finished. */
export const queueJobStates = [
  'waiting',
  'prioritized',
  'active',
  'delayed',
  'waiting_children',
  'completed',
  'failed',
] as const;
export type QueueJobState = (typeof queueJobStates)[number];

/** States whose jobs can be cleaned by age. A running job belongs to its worker. */
export const cleanableStates = ['waiting', 'prioritized', 'delayed', 'completed', 'failed'] as const;
export type CleanableState = (typeof cleanableStates)[number];

/** The operations on a queue that are recorded (`admin_queue_events`). */
export const queueEventKinds = [
  'register',
  'unregister',
  'pause',
  'resume',
  'retry',
  'promote',
  'remove',
  'clean',
  'bulk_retry',
] as const;
export type QueueEventKind = (typeof queueEventKinds)[number];

/**
 * The states of an operation: recorded before the engine is asked (`requested`), so that none goes unrecorded, and settled
 * by the result. `stopped` is a bulk retry that its breaker has ended.
 */
export const queueEventStates = ['requested', 'running', 'done', 'failed', 'stopped', 'cancelled'] as const;
export type QueueEventState = (typeof queueEventStates)[number];

/** True for a final state of an operation. */
export function isSettled(state: QueueEventState): boolean {
  return state !== 'requested' && state !== 'running';
}

const uuidPrefix = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\./;

/**
 * Whether a tenant may use a queue of this name in the engine. Engines know no tenants, so the name tells: a tenant's
 * queues are called `<tenant id>.<anything>`. Names without a tenant belong to the default tenant, whose staff run the
 * platform. The task queue that all tenants share may be used by each, because a tenant sees only its own executions of it.
 *
 * @param sharedTaskQueue the task queue of this installation's workflows.
 */
export function maySeeSource(
  tenantId: string,
  { provider, source_name }: { readonly provider: QueueProviderName; readonly source_name: string },
  sharedTaskQueue: string,
): boolean {
  if (source_name.startsWith(`${tenantId}.`)) return true;
  if (provider === 'temporal' && source_name === sharedTaskQueue) return true;
  return tenantId === defaultTenantId && !uuidPrefix.test(source_name);
}

/** How many jobs finish in a minute. */
export interface QueueRates {
  readonly completed_per_minute: number;
  readonly failed_per_minute: number;
}

/** The period that rates are measured over, in milliseconds. */
export const rateWindowMs = 5 * 60_000;

/**
 * Jobs a minute over the last {@link rateWindowMs}, from the times (milliseconds) at which they were finished.
 *
 * @param isComplete false when there were more jobs than could be read; the rate is then that of the time they span.
 */
export function perMinute(finishedAt: readonly number[], now: number, isComplete: boolean): number {
  const inWindow = finishedAt.filter((at) => at > now - rateWindowMs && at <= now);
  const isCut = !isComplete && inWindow.length === finishedAt.length;
  const spanMs = isCut ? Math.max(now - Math.min(...inWindow), 1_000) : rateWindowMs;
  return inWindow.length === 0 ? 0 : (inWindow.length * 60_000) / spanMs;
}
