import type { Job, JobType } from 'bullmq';
import { perMinute, rateWindowMs } from '../../domain/queue/queue.ts';
import type { CleanableState, QueueJobState } from '../../domain/queue/queue.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { callEngine, throwJobStateConflict } from '../../platform/outbound/queue-provider.ts';
import type { EngineJob, JobPage, MeasuredRates, QueueProvider, QueueSnapshot, QueueSource } from '../../platform/outbound/queue-provider.ts';
import type { AnyQueue, BullmqQueues, BullmqStore } from './bullmq-queues.ts';

const states = ['waiting', 'prioritized', 'active', 'delayed', 'waiting_children', 'completed', 'failed'] as const;
/** PostgreSQL counts a paused queue's waiting jobs under this name, which the types of BullMQ 6 do not have. */
const pausedList = 'paused' as JobType;
/** Finished jobs that are read for rates where workers keep no metrics. */
const rateSample = 200;
/** Prioritized jobs, lowest priority first, among which the oldest is looked for. */
const oldestSample = 50;

/** BullMQ's queues on PostgreSQL or Redis (S2-67). */
export function createBullmqProvider(store: BullmqStore, now: () => number = Date.now): QueueProvider {
  let queues: Promise<BullmqQueues> | undefined;
  // BullMQ is a tenth of what a process would load at its start, and most processes never look into a queue.
  const open = () => (queues ??= import('./bullmq-queues.ts').then(({ openBullmqQueues }) => openBullmqQueues(store)));
  const call = async <Result>(source: QueueSource, work: (queue: AnyQueue) => Promise<Result>) => {
    const { of } = await open(); // before the deadline of the call begins
    return callEngine('bullmq', () => work(of(source.source_name)));
  };

  return {
    name: 'bullmq',
    capabilities: new Set(['pause', 'retry', 'promote', 'remove', 'clean']),
    states,
    snapshot: (source) => call(source, (queue) => snapshotOf(queue, now())),
    rates: (source) => call(source, (queue) => measureRates(queue, now())),
    listJobs: (source, page) => call(source, (queue) => listJobs(queue, page)),
    findJob: (source, id) => call(source, (queue) => findJob(queue, id)),
    retry: (source, id) =>
      call(source, async (queue) => {
        const job = await findJobIn(queue, id, ['failed']);
        await attemptChange(() => job.retry('failed'), 'failed');
        return id;
      }),
    promote: (source, id) =>
      call(source, async (queue) => {
        const job = await findJobIn(queue, id, ['delayed']);
        await attemptChange(() => job.promote(), 'delayed');
      }),
    remove: (source, id) =>
      call(source, async (queue) => {
        const job = await findJobIn(queue, id, removable);
        await job.remove({ removeChildren: false });
      }),
    pause: (source) => call(source, (queue) => queue.pause()),
    resume: (source) => call(source, (queue) => queue.resume()),
    clean: (source, { state, olderThanMs, limit }) => call(source, (queue) => cleanJobs(queue, state, olderThanMs, limit)),
    close: async () => (await queues)?.close(),
  };
}

/** @returns how many jobs were removed. */
async function cleanJobs(queue: AnyQueue, state: CleanableState, olderThanMs: number, limit: number): Promise<number> {
  const removed = (await queue.clean(olderThanMs, limit, cleanTypes[state])).length;
  if (state !== 'waiting' || removed >= limit) return removed;
  return removed + (await queue.clean(olderThanMs, limit - removed, 'paused')).length;
}

const removable: readonly QueueJobState[] = ['waiting', 'prioritized', 'delayed', 'completed', 'failed'];
const cleanTypes = {
  waiting: 'waiting',
  prioritized: 'prioritized',
  delayed: 'delayed',
  completed: 'completed',
  failed: 'failed',
} as const satisfies Record<CleanableState, string>;

async function snapshotOf(queue: AnyQueue, now: number): Promise<QueueSnapshot> {
  const [counts, is_paused, workers, oldest] = await Promise.all([
    countJobs(queue),
    queue.isPaused(),
    queue.getWorkersCount(),
    oldestWaiting(queue),
  ]);
  return {
    counts,
    is_paused,
    workers,
    oldest_waiting_seconds: oldest === null ? null : Math.max(0, Math.round((now - oldest) / 1000)),
    backlog: null,
  };
}

/**
 * How many jobs are in each state. A paused queue's waiting jobs are `paused` to PostgreSQL; on Redis so are those that a BullMQ
 * before 6 has set aside.
 */
async function countJobs(queue: AnyQueue): Promise<Record<(typeof states)[number], number>> {
  const counted = await queue.getJobCounts(...states.map(engineState), pausedList);
  const counts = Object.fromEntries(states.map((state) => [state, counted[engineState(state)] ?? 0]));
  return { ...counts, waiting: (counts['waiting'] ?? 0) + (counted['paused'] ?? 0) } as Record<(typeof states)[number], number>;
}

/** When the job that has waited longest became ready, looked for at both ends of each list; null when none waits. */
async function oldestWaiting(queue: AnyQueue): Promise<number | null> {
  const ends = await Promise.all([
    jobsInOrder(queue, 'waiting', 0, 0),
    queue.getJobs('waiting', 0, 0, false),
    queue.getJobs(pausedList, 0, 0, false),
    jobsInOrder(queue, 'prioritized', 0, 0),
    queue.getJobs('prioritized', 0, oldestSample - 1, false),
  ]);
  const readyAt = ends.flat().filter(isPresent).map((job) => job.timestamp + job.delay);
  return readyAt.length === 0 ? null : Math.min(...readyAt);
}

async function measureRates(queue: AnyQueue, now: number): Promise<MeasuredRates> {
  const [completed, failed] = await Promise.all([rateOf(queue, 'completed', now), rateOf(queue, 'failed', now)]);
  return {
    completed_per_minute: completed.rate,
    failed_per_minute: failed.rate,
    source: completed.isKept || failed.isKept ? 'engine' : 'kept_jobs',
  };
}

/** From the metrics that workers keep when configured to; else from the finished jobs that are still stored. */
async function rateOf(queue: AnyQueue, state: 'completed' | 'failed', now: number) {
  const { meta, data } = await queue.getMetrics(state, 0, rateWindowMs / 60_000 - 1);
  if (meta.count > 0) {
    // One count for each minute, the newest first, up to `prevTS`; what came later is not in the list yet.
    const minutes = rateWindowMs / 60_000;
    const stale = Math.floor((now - meta.prevTS) / 60_000);
    const counted = data.slice(0, Math.max(0, minutes - stale)).reduce((sum, count) => sum + count, 0);
    const since = stale < minutes ? meta.count - meta.prevCount : 0;
    return { rate: (counted + since) / minutes, isKept: true };
  }
  const jobs = (await queue.getJobs(state, 0, rateSample - 1, false)).filter(isPresent);
  const finished = jobs.map((job) => job.finishedOn ?? 0);
  return { rate: perMinute(finished, now, jobs.length < rateSample), isKept: false };
}

async function listJobs(queue: AnyQueue, { state, from, limit }: JobPage) {
  const start = from === null ? 0 : Number(from);
  if (!Number.isSafeInteger(start) || start < 0) {
    throw new Problem({ code: 'request.cursor-invalid', detail: 'Start again without a cursor.' });
  }
  const jobs = (await jobsInOrder(queue, state, start, start + limit)).filter(isPresent);
  const page = jobs.slice(0, limit);
  return { jobs: page.map((job) => presentJob(job, state)), next: jobs.length > limit ? String(start + limit) : null };
}

/** Finished jobs newest first, all others in the order in which workers take them; positions are counted from 0. */
async function jobsInOrder(queue: AnyQueue, state: QueueJobState, first: number, last: number) {
  if (state !== 'waiting' && state !== 'active') {
    const isAscending = state !== 'completed' && state !== 'failed';
    return queue.getJobs(engineState(state), first, last, isAscending);
  }
  const lists = state === 'active' ? ['active' as const] : [pausedList, 'waiting' as const];
  const counts = await queue.getJobCounts(...lists);
  const jobs: (Job<unknown, unknown> | undefined | null)[] = [];
  let passed = 0;
  for (const list of lists) {
    const total = counts[list] ?? 0;
    const part = { first: Math.max(0, first - passed), last: Math.min(last - passed, total - 1) };
    if (part.first <= part.last) jobs.push(...(await listPart(queue, list, total, part)));
    passed += total;
  }
  return jobs;
}

/** Lists count from their newest job: on PostgreSQL `asc` reverses the page only, not the list (BullMQ 6.7). */
async function listPart(
  queue: AnyQueue,
  list: JobType,
  total: number,
  { first, last }: { first: number; last: number },
) {
  const [from, to] = [Math.max(0, total - 1 - last), total - 1 - first];
  const jobs = await queue.getJobs(list, from, to, false);
  // PostgreSQL counts a paused queue's waiting jobs as `paused`, and lists them as `waiting`.
  const found = list === pausedList && jobs.length === 0 ? await queue.getJobs('waiting', from, to, false) : jobs;
  return found.reverse();
}

async function findJob(queue: AnyQueue, id: string): Promise<EngineJob | null> {
  const job = await queue.getJob(id);
  if (job === undefined) return null;
  const state = await stateOf(job);
  return state === null ? null : presentJob(job, state);
}

async function stateOf(job: Job<unknown, unknown>): Promise<QueueJobState | null> {
  const state = await job.getState();
  return states.find((one) => engineState(one) === state) ?? null;
}

/** @throws Problem 404, or `queue.job-state` when it is in none of the wanted states. */
async function findJobIn(queue: AnyQueue, id: string, wanted: readonly QueueJobState[]): Promise<Job<unknown, unknown>> {
  const job = await queue.getJob(id);
  const state = job === undefined ? null : await stateOf(job);
  if (job === undefined || state === null) throw notFound('job');
  if (!wanted.includes(state)) throwJobStateConflict(state, wanted.join(' or '));
  return job;
}

/** Makes a change; a worker or another operator may have changed the job after its state was read. */
async function attemptChange(change: () => Promise<void>, wanted: QueueJobState): Promise<void> {
  try {
    await change();
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'number') throwJobStateConflict('elsewhere by now', wanted);
    throw error;
  }
}

function presentJob(job: Job<unknown, unknown>, state: QueueJobState): EngineJob {
  const isFailed = state === 'failed';
  return {
    job_id: job.id ?? '',
    name: job.name,
    state,
    data: job.data ?? null,
    attempts_made: job.attemptsMade,
    max_attempts: job.opts.attempts ?? 1,
    created_at: job.timestamp,
    due_at: state === 'delayed' ? job.timestamp + job.delay : null,
    processed_at: job.processedOn ?? null,
    finished_at: job.finishedOn ?? null,
    failure: isFailed ? { reason: job.failedReason ?? '', stack: job.stacktrace?.at(-1) } : null,
  };
}

function engineState(state: QueueJobState): Exclude<JobType, 'repeat' | 'wait'> {
  return state === 'waiting_children' ? 'waiting-children' : state;
}

/** A job that finishes while a list is read is returned as undefined or null. */
function isPresent<Value>(job: Value | undefined | null): job is Value {
  return job !== undefined && job !== null;
}
