import type {
  CleanableState,
  QueueCapability,
  QueueJobState,
  QueueProviderName,
  QueueRates,
} from '../../domain/queue/queue.ts';
import { Problem } from '../problem.ts';

/** A queue in an engine, in the view of one tenant. */
export interface QueueSource {
  readonly tenant_id: string;
  readonly source_name: string;
}

/** The state of a queue at one time. */
export interface QueueSnapshot {
  readonly counts: Readonly<Partial<Record<QueueJobState, number>>>;
  readonly is_paused: boolean;
  /** Workers that are connected at this time. */
  readonly workers: number;
  /** Age of the job that has waited longest; null when none waits. It grows also while nothing is processed. */
  readonly oldest_waiting_seconds: number | null;
  /** Tasks that no worker has taken, where the engine counts them for all tenants together; else null. */
  readonly backlog: number | null;
}

/** {@link QueueRates} and their source: metrics of the engine, or the finished jobs that are still stored. */
export interface MeasuredRates extends QueueRates {
  readonly source: 'engine' | 'kept_jobs';
}

/** A job of an engine, not masked yet. Times are milliseconds since the epoch. */
export interface EngineJob {
  readonly job_id: string;
  readonly name: string;
  readonly state: QueueJobState;
  readonly data: unknown;
  readonly attempts_made: number;
  readonly max_attempts: number | null;
  readonly created_at: number;
  readonly due_at: number | null;
  readonly processed_at: number | null;
  readonly finished_at: number | null;
  readonly failure: { readonly reason: string; readonly stack?: string | undefined } | null;
}

/** Which page of jobs: `from` is the `next` of the page before, null for the first one. */
export interface JobPage {
  readonly state: QueueJobState;
  readonly from: string | null;
  readonly limit: number;
}

/** Where a retry of a failed job begins; an engine with only one way of retrying ignores it. */
export type RetryMode = 'failed_step' | 'from_start';

/** A queue engine. Every method throws `service.unavailable` when the engine is unavailable. */
export interface QueueProvider {
  readonly name: QueueProviderName;
  readonly capabilities: ReadonlySet<QueueCapability>;
  readonly states: readonly QueueJobState[];
  snapshot(source: QueueSource): Promise<QueueSnapshot>;
  rates(source: QueueSource): Promise<MeasuredRates>;
  listJobs(source: QueueSource, page: JobPage): Promise<{ readonly jobs: EngineJob[]; readonly next: string | null }>;
  /** Null when the job does not exist for this tenant. */
  findJob(source: QueueSource, jobId: string): Promise<EngineJob | null>;
  /** @returns the id by which the new attempt is found. */
  retry(source: QueueSource, jobId: string, mode: RetryMode): Promise<string>;
  promote(source: QueueSource, jobId: string): Promise<void>;
  remove(source: QueueSource, jobId: string): Promise<void>;
  pause(source: QueueSource): Promise<void>;
  resume(source: QueueSource): Promise<void>;
  /** Removes jobs of one state that are older. @returns how many. */
  clean(source: QueueSource, jobs: { state: CleanableState; olderThanMs: number; limit: number }): Promise<number>;
  close(): Promise<void>;
}

/** The engines of one process. */
export interface QueueProviders {
  of(name: QueueProviderName): QueueProvider;
  close(): Promise<void>;
}

const capabilityTexts: Readonly<Record<QueueCapability, string>> = {
  pause: 'be paused or resumed',
  retry: 'retry a job',
  promote: 'promote a job',
  remove: 'remove a job',
  clean: 'be cleaned',
};

/** @throws Problem `queue.unsupported` when the engine does not support it (S2-67); nothing is emulated. */
export function assertQueueCapability(provider: Pick<QueueProvider, 'name' | 'capabilities'>, wanted: QueueCapability): void {
  if (provider.capabilities.has(wanted)) return;
  throw new Problem({
    code: 'queue.unsupported',
    detail: `A queue of ${provider.name} cannot ${capabilityTexts[wanted]}.`,
    members: { provider: provider.name, capabilities: [...provider.capabilities] },
  });
}

/** @throws Problem `queue.job-state` */
export function throwJobStateConflict(state: string, wanted: string): never {
  throw new Problem({
    code: 'queue.job-state',
    detail: `The job is ${state}; this is possible for a job that is ${wanted} only.`,
    members: { state },
  });
}

/** Calls an engine with a deadline. @throws Problem `service.unavailable` when it does not answer in time or fails. */
export async function callEngine<Result>(name: QueueProviderName, work: () => Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} did not answer within ${engineDeadlineMs} ms`)), engineDeadlineMs);
  });
  const answer = work();
  // A rejection after the deadline is not awaited by anybody.
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, deadline]);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem({
      code: 'service.unavailable',
      detail: `The queues of ${name} cannot be reached. Try again shortly.`,
      retryAfterSeconds: 5,
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

const engineDeadlineMs = 4_000;
