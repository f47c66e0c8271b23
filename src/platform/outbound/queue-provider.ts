import type {
  CleanableState,
  QueueCapability,
  QueueJobState,
  QueueProviderName,
  QueueRates,
} from '../../domain/queue/queue.ts';
import { Problem } from '../problem.ts';

/** A queue in an engine, as one tenant may see it. */
export interface QueueSource {
  readonly tenant_id: string;
  readonly source_name: string;
}

/** A queue at one moment. */
export interface QueueSnapshot {
  readonly counts: Readonly<Partial<Record<QueueJobState, number>>>;
  readonly is_paused: boolean;
  /** Who takes jobs from it at the moment. */
  readonly workers: number;
  /** Age of the job that has waited longest; null when none waits. It also grows while nothing is processed at all. */
  readonly oldest_waiting_seconds: number | null;
  /** Tasks that nobody has taken yet, where the engine counts them for everybody together; else null. */
  readonly backlog: number | null;
}

/** {@link QueueRates} and what they were read from: kept figures, or the finished jobs that are still there. */
export interface MeasuredRates extends QueueRates {
  readonly source: 'engine' | 'kept_jobs';
}

/** A job as the engine has it: nothing is masked yet. Times are milliseconds since the epoch. */
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

/** Where a page of jobs begins and how long it is. `from` is what `next` of the page before said. */
export interface JobPage {
  readonly state: QueueJobState;
  readonly from: string | null;
  readonly limit: number;
}

/** How a failed job is tried again; an engine that knows one way only takes it as said. */
export type RetryMode = 'failed_step' | 'from_start';

/** One engine of queues. Every method throws `service.unavailable` when the engine is away. */
export interface QueueProvider {
  readonly name: QueueProviderName;
  readonly capabilities: ReadonlySet<QueueCapability>;
  readonly states: readonly QueueJobState[];
  snapshot(source: QueueSource): Promise<QueueSnapshot>;
  rates(source: QueueSource): Promise<MeasuredRates>;
  listJobs(source: QueueSource, page: JobPage): Promise<{ readonly jobs: EngineJob[]; readonly next: string | null }>;
  /** Null: there is no such job, or not for this tenant. */
  findJob(source: QueueSource, jobId: string): Promise<EngineJob | null>;
  /** @returns the id under which the new attempt can be watched. */
  retry(source: QueueSource, jobId: string, mode: RetryMode): Promise<string>;
  promote(source: QueueSource, jobId: string): Promise<void>;
  remove(source: QueueSource, jobId: string): Promise<void>;
  pause(source: QueueSource): Promise<void>;
  resume(source: QueueSource): Promise<void>;
  /** Takes away jobs of one state that are older. @returns how many. */
  clean(source: QueueSource, jobs: { state: CleanableState; olderThanMs: number; limit: number }): Promise<number>;
  close(): Promise<void>;
}

/** The engines of one process. */
export interface QueueProviders {
  of(name: QueueProviderName): QueueProvider;
  close(): Promise<void>;
}

const capabilityWords: Readonly<Record<QueueCapability, string>> = {
  pause: 'be paused or resumed',
  retry: 'retry a job',
  promote: 'promote a job',
  remove: 'remove a job',
  clean: 'be cleaned',
};

/** @throws Problem `queue.unsupported` when the engine cannot do it (S2-67): refused, never faked. */
export function assertQueueCapability(provider: Pick<QueueProvider, 'name' | 'capabilities'>, wanted: QueueCapability): void {
  if (provider.capabilities.has(wanted)) return;
  throw new Problem({
    code: 'queue.unsupported',
    detail: `A queue of ${provider.name} cannot ${capabilityWords[wanted]}.`,
    members: { provider: provider.name, capabilities: [...provider.capabilities] },
  });
}

/** @throws Problem `queue.job-state` */
export function throwJobStateConflict(state: string, wanted: string): never {
  throw new Problem({
    code: 'queue.job-state',
    detail: `The job is ${state}; only a ${wanted} one can be treated like this.`,
    members: { state },
  });
}

/** @throws Problem `service.unavailable` for an engine that does not answer in time or not at all. */
export async function callEngine<Result>(name: QueueProviderName, work: () => Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} did not answer within ${engineDeadlineMs} ms`)), engineDeadlineMs);
  });
  const asked = work();
  // What comes after the deadline has nobody waiting for it.
  asked.catch(() => undefined);
  try {
    return await Promise.race([asked, deadline]);
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
