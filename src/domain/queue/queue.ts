import { redactChange } from '../audit/audit-redaction.ts';
import { defaultTenantId } from '../shared/actor.ts';

/** The engines whose queues can be administered (S2-67). */
export const queueProviderNames = ['bullmq', 'temporal'] as const;
export type QueueProviderName = (typeof queueProviderNames)[number];

/** What an operator can ask of a queue; a provider says which of it its engine can do. */
export const queueCapabilities = ['pause', 'retry', 'promote', 'remove', 'clean'] as const;
export type QueueCapability = (typeof queueCapabilities)[number];

/** Where a job stands. A provider knows some of them; `completed` and `failed` are finished ones. */
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

/** States whose jobs can be cleaned away by age: a running job belongs to its worker. */
export const cleanableStates = ['waiting', 'prioritized', 'delayed', 'completed', 'failed'] as const;
export type CleanableState = (typeof cleanableStates)[number];

/** Everything that is kept of what was done to a queue (`admin_queue_events`). */
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
 * How far an operation is: written down before the engine is asked (`requested`), so that none is without a trace, and
 * settled by its answer. `stopped` is a bulk retry that its breaker ended.
 */
export const queueEventStates = ['requested', 'running', 'done', 'failed', 'stopped', 'cancelled'] as const;
export type QueueEventState = (typeof queueEventStates)[number];

/** True when nothing more becomes of an operation. */
export function isSettled(state: QueueEventState): boolean {
  return state !== 'requested' && state !== 'running';
}

const uuidPrefix = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\./;

/**
 * Whether a tenant may have a queue of this name in the engine. The engines know no tenants, so the name does: a
 * tenant's queues are called `<tenant id>.<anything>`. Names without a tenant belong to the default one, whose staff run
 * the platform; and a task queue that all tenants share may be looked at by each, because of it a tenant is shown only
 * its own executions.
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

/** The longest text of a job that is shown, in characters. */
const maxShownText = 2_000;

/** The data of a job without what is secret in it, by the rules of the audit (S2-58). */
export function maskedJobData(data: unknown): unknown {
  return redactChange({ new_values: data }).new_values;
}

/** An error's text without what is secret in it, cut to a readable length. */
export function maskedText(text: string): string {
  const masked = maskedJobData(text);
  return typeof masked === 'string' ? masked.slice(0, maxShownText) : '';
}

/** How many jobs are finished in a minute. */
export interface QueueRates {
  readonly completed_per_minute: number;
  readonly failed_per_minute: number;
}

/** How far back rates look, in milliseconds. */
export const rateWindowMs = 5 * 60_000;

/**
 * Jobs a minute over the last {@link rateWindowMs}, from the times (milliseconds) at which they were finished.
 *
 * @param isComplete false when there were more of them than could be read: the rate is then that of the span they fill.
 */
export function perMinute(finishedAt: readonly number[], now: number, isComplete: boolean): number {
  const inWindow = finishedAt.filter((at) => at > now - rateWindowMs && at <= now);
  const isCut = !isComplete && inWindow.length === finishedAt.length;
  const spanMs = isCut ? Math.max(now - Math.min(...inWindow), 1_000) : rateWindowMs;
  return inWindow.length === 0 ? 0 : (inWindow.length * 60_000) / spanMs;
}
