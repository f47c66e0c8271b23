import { randomUUID } from 'node:crypto';
import { isGrpcServiceError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { temporal } from '@temporalio/proto';
import { rateWindowMs } from '../../domain/queue/queue.ts';
import type { QueueJobState } from '../../domain/queue/queue.ts';
import { isUuid } from '../../domain/shared/uuid.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { callEngine, throwJobStateConflict, assertQueueCapability } from '../../platform/outbound/queue-provider.ts';
import type {
  EngineJob,
  JobPage,
  MeasuredRates,
  QueueProvider,
  QueueSnapshot,
  QueueSource,
  RetryMode,
} from '../../platform/outbound/queue-provider.ts';
import type { TemporalClient } from '../../platform/temporal/temporal-client.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Execution = temporal.api.workflow.v1.IWorkflowExecutionInfo;

// The package is CommonJS and Node does not see its named exports.
const { WorkflowExecutionStatus, TaskQueueType, HistoryEventFilterType } = proto.temporal.api.enums.v1;

const states = ['active', 'completed', 'failed'] as const;
const capabilities = new Set(['retry'] as const);

/**
 * The execution statuses of each state. Cancelled and terminated executions were ended by people and are not failures; one
 * that was continued as new goes on in its next run.
 */
const statusNames = {
  active: ['Running'],
  completed: ['Completed'],
  failed: ['Failed', 'TimedOut'],
} as const satisfies Partial<Record<QueueJobState, readonly string[]>>;


/**
 * Temporal's task queues as queues (S2-67): backlog and pollers are those of the task queue; the jobs are the executions of
 * the tenant alone, found by its search attribute. A job's id is the run id.
 *
 * @param tenantAttribute name of the search attribute that holds the tenant of an execution.
 */
export function createTemporalQueueProvider(client: TemporalClient, tenantAttribute: string): QueueProvider {
  const call = <Result>(work: (connected: Client) => Promise<Result>) => callEngine('temporal', () => client.call(work));
  const ownExecutions = ({ tenant_id, source_name }: QueueSource) =>
    `TaskQueue = '${source_name}' AND ${tenantAttribute} = '${tenant_id}'`;
  const provider = { name: 'temporal', capabilities } as const;
  return {
    ...provider,
    states,
    snapshot: (source) => call((connected) => snapshotOf(connected, source, ownExecutions(source))),
    rates: (source) => call((connected) => measureRates(connected, ownExecutions(source))),
    listJobs: (source, page) => call((connected) => listJobs(connected, ownExecutions(source), page)),
    findJob: (source, id) =>
      call(async (connected) => {
        const execution = await findExecution(connected, ownExecutions(source), id);
        return execution === null ? null : presentJob(connected, execution);
      }),
    retry: (source, id, mode) => call((connected) => reset(connected, ownExecutions(source), id, mode)),
    promote: async () => assertQueueCapability(provider, 'promote'),
    remove: async () => assertQueueCapability(provider, 'remove'),
    pause: async () => assertQueueCapability(provider, 'pause'),
    resume: async () => assertQueueCapability(provider, 'pause'),
    clean: async () => {
      assertQueueCapability(provider, 'clean');
      return 0;
    },
    // The client belongs to the process and is closed by it.
    close: async () => undefined,
  };
}

async function snapshotOf(client: Client, source: QueueSource, own: string): Promise<QueueSnapshot> {
  const { TASK_QUEUE_TYPE_WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY } = TaskQueueType;
  const [counts, ...kinds] = await Promise.all([
    countByState(client, own),
    ...[TASK_QUEUE_TYPE_WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY].map((taskQueueType) =>
      client.workflowService.describeTaskQueue({
        namespace: client.options.namespace,
        taskQueue: { name: source.source_name },
        taskQueueType,
        reportStats: true,
      }),
    ),
  ]);
  const pollers = new Set(kinds.flatMap(({ pollers: polling }) => polling.map(({ identity }) => identity)));
  const backlog = sum(kinds.map(({ stats }) => Number(stats?.approximateBacklogCount ?? 0)));
  const ages = kinds.map(({ stats }) => Number(stats?.approximateBacklogAge?.seconds ?? 0));
  return {
    counts,
    is_paused: false,
    workers: pollers.size,
    oldest_waiting_seconds: backlog === 0 ? null : Math.max(...ages),
    backlog,
  };
}

async function countByState(client: Client, query: string): Promise<Record<(typeof states)[number], number>> {
  const { groups } = await client.workflow.count(`${query} GROUP BY ExecutionStatus`);
  const countOf = (state: (typeof states)[number]) => {
    const names: readonly unknown[] = statusNames[state];
    // The value of a search attribute is single or a list of one.
    const matching = groups.filter(({ groupValues }) => groupValues.flat().some((value) => names.includes(value)));
    return sum(matching.map(({ count }) => count));
  };
  return { active: countOf('active'), completed: countOf('completed'), failed: countOf('failed') };
}

async function measureRates(client: Client, own: string): Promise<MeasuredRates> {
  const since = new Date(Date.now() - rateWindowMs).toISOString();
  const { completed, failed } = await countByState(client, `${own} AND CloseTime > '${since}'`);
  const minutes = rateWindowMs / 60_000;
  return { completed_per_minute: completed / minutes, failed_per_minute: failed / minutes, source: 'engine' };
}

async function listJobs(client: Client, own: string, { state, from, limit }: JobPage) {
  const names = state === 'active' || state === 'completed' || state === 'failed' ? statusNames[state] : [];
  if (names.length === 0) return { jobs: [], next: null };
  const { executions, nextPageToken } = await client.workflowService.listWorkflowExecutions({
    namespace: client.options.namespace,
    pageSize: limit,
    query: `${own} AND ExecutionStatus IN (${names.map((name) => `'${name}'`).join(', ')})`,
    nextPageToken: from === null ? new Uint8Array() : Buffer.from(from, 'base64url'),
  }).catch(throwCursorInvalid);
  const jobs = await Promise.all(executions.map((execution) => presentJob(client, execution)));
  return { jobs, next: nextPageToken.length === 0 ? null : Buffer.from(nextPageToken).toString('base64url') };
}

/** A page token that the server does not accept is a fault of the caller's cursor. */
function throwCursorInvalid(error: unknown): never {
  if (!isGrpcServiceError(error) || error.code !== invalidArgument) throw error;
  throw new Problem({ code: 'request.cursor-invalid', detail: 'Start again without a cursor.', cause: error });
}

const invalidArgument = 3;

async function findExecution(client: Client, own: string, runId: string): Promise<Execution | null> {
  if (!isUuid(runId)) return null;
  const { executions } = await client.workflowService.listWorkflowExecutions({
    namespace: client.options.namespace,
    pageSize: 1,
    query: `${own} AND RunId = '${runId}'`,
  });
  return executions[0] ?? null;
}

async function presentJob(client: Client, execution: Execution): Promise<EngineJob> {
  const state = stateOf(execution);
  return {
    job_id: execution.execution?.runId ?? '',
    name: execution.type?.name ?? '',
    state,
    // The input stays in the history: reading it would cost one call for every row of a list.
    data: { workflow_id: execution.execution?.workflowId ?? '' },
    attempts_made: 1,
    max_attempts: null,
    created_at: millisecondsOf(execution.startTime) ?? 0,
    due_at: null,
    processed_at: millisecondsOf(execution.executionTime),
    finished_at: millisecondsOf(execution.closeTime),
    failure: state === 'failed' ? await failureOf(client, execution) : null,
  };
}

function millisecondsOf(time: Execution['startTime']): number | null {
  if (time === undefined || time === null) return null;
  return Number(time.seconds ?? 0) * 1000 + Math.floor((time.nanos ?? 0) / 1e6);
}

function stateOf({ status }: Execution): (typeof states)[number] {
  switch (status) {
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED:
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
      return 'failed';
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED:
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED:
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED:
      return 'completed';
    default:
      return 'active';
  }
}

/** The innermost cause of the failure in the last event. */
async function failureOf(client: Client, { execution }: Execution): Promise<EngineJob['failure']> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: execution ?? null,
    historyEventFilterType: HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
  });
  let failure = history?.events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure;
  if (failure === undefined || failure === null) return { reason: 'The execution timed out.', stack: 'TimedOut:' };
  while (failure.cause !== undefined && failure.cause !== null) failure = failure.cause;
  const type = failure.applicationFailureInfo?.type ?? 'Error';
  return { reason: failure.message ?? '', stack: `${/^[A-Za-z_$][\w$.]*$/.test(type) ? type : 'Error'}:` };
}

/** Runs a failed execution again as a new run of the same workflow, from the step that failed or from its start. */
async function reset(client: Client, own: string, runId: string, mode: RetryMode): Promise<string> {
  const execution = await findExecution(client, own, runId);
  if (execution === null) throw notFound('job');
  const state = stateOf(execution);
  if (state !== 'failed') throwJobStateConflict(state, 'failed');
  const workflowId = execution.execution?.workflowId ?? '';
  const latest = await client.workflow.getHandle(workflowId).describe();
  if (latest.runId !== runId) throwJobStateConflict('retried already', 'failed');
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  const point = resetPoint(events ?? [], mode);
  if (point === null) {
    throw new Problem({
      code: 'queue.unsupported',
      detail: 'The execution failed before its first step; retry it from its start.',
    });
  }
  const answer = await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId, runId },
    reason: 'Retried by an operator',
    workflowTaskFinishEventId: point,
    requestId: randomUUID(),
  });
  return answer.runId;
}

/**
 * The workflow task to reset to: the one that scheduled the step that failed last, because a reset to a later task would
 * keep that failure in the history; the last task where no step has failed; null where there is none.
 */
function resetPoint(events: readonly HistoryEvent[], mode: RetryMode): HistoryEvent['eventId'] | null {
  const tasks = events.filter(({ workflowTaskCompletedEventAttributes: done }) => done !== undefined && done !== null);
  if (mode === 'from_start') return tasks[0]?.eventId ?? null;
  const failed = events.findLast((event) => scheduledBy(event) !== null);
  const scheduled = events.find(({ eventId }) => failed !== undefined && Number(eventId) === scheduledBy(failed));
  return (
    scheduled?.activityTaskScheduledEventAttributes?.workflowTaskCompletedEventId ??
    scheduled?.startChildWorkflowExecutionInitiatedEventAttributes?.workflowTaskCompletedEventId ??
    tasks.at(-1)?.eventId ??
    null
  );
}

/** For an event that reports a failed step, the id of the event that scheduled the step. */
function scheduledBy(event: HistoryEvent): number | null {
  const id =
    event.activityTaskFailedEventAttributes?.scheduledEventId ??
    event.activityTaskTimedOutEventAttributes?.scheduledEventId ??
    event.childWorkflowExecutionFailedEventAttributes?.initiatedEventId ??
    event.childWorkflowExecutionTimedOutEventAttributes?.initiatedEventId;
  return id === undefined || id === null ? null : Number(id);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
