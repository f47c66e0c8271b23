import { z } from 'zod';
import { reasonText } from '../../platform/value-schemas.ts';
import { operableJob, operateOnJob } from '../../services/queue/queue-job.service.ts';
import type { JobOperation } from '../../services/queue/queue-job.service.ts';
import { route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { QueueEventBody, queueParams } from './queue.schemas.ts';

const tag = 'queue';
const jobPath = '/admin/queues/:name/jobs/:job_id';
const jobParams = queueParams.extend({ job_id: z.string().min(1).max(200) });
const reason = reasonText.nullable().default(null);
const answers = { 200: QueueEventBody };
const problems = [
  'mfa.required',
  'resource.not-found',
  'queue.unsupported',
  'queue.job-state',
  'service.unavailable',
] as const;

type Context = HandlerContext<{ name: string; job_id: string }, unknown, { reason: string | null }>;

const operate = async ({ deps, actor, mfa, isRehearsal, throughWorkflow, params, body }: Context, operation: JobOperation) => {
  const target = { queue_name: params.name, job_id: params.job_id, reason: body.reason };
  // Outside of a transaction, which must not stay open for as long as an engine may take.
  if (isRehearsal) await operableJob(deps, actor, target, operation);
  return throughWorkflow((command) => operateOnJob(deps, { actor, mfa, command }, target, operation));
};

const retryFailedJob = route({
  operationId: 'retryFailedJob',
  method: 'post',
  path: `${jobPath}/retry`,
  tag,
  summary: 'Retry a failed job',
  description:
    'A failed execution of Temporal becomes a new run of the same workflow: from the step that failed, or from its start.',
  permission: 'queue:retry',
  gate: 'mfa',
  params: jobParams,
  body: z
    .strictObject({ mode: z.enum(['failed_step', 'from_start']).default('failed_step'), reason })
    .prefault({})
    .meta({ id: 'QueueJobRetry' }),
  responses: answers,
  problems,
  handler: (context) =>
    operate(context, {
      kind: 'retry',
      isPossible: ({ state }) => state === 'failed',
      wanted: 'failed',
      run: async (engine, queue, id) => {
        const { mode } = context.body;
        return { mode, watch_id: await engine.retry(queue, id, mode) };
      },
    }),
});

const JobChange = z.strictObject({ reason }).prefault({}).meta({ id: 'QueueJobChange' });

const promoteJob = route({
  operationId: 'promoteQueueJob',
  method: 'post',
  path: `${jobPath}/promote`,
  tag,
  summary: 'Run a delayed job immediately',
  permission: 'queue:promote',
  gate: 'mfa',
  params: jobParams,
  body: JobChange,
  responses: answers,
  problems,
  handler: (context) =>
    operate(context, {
      kind: 'promote',
      isPossible: ({ state }) => state === 'delayed',
      wanted: 'delayed',
      run: async (engine, queue, id) => {
        await engine.promote(queue, id);
        return {};
      },
    }),
});

const removeJob = route({
  operationId: 'removeQueueJob',
  method: 'post',
  path: `${jobPath}/remove`,
  tag,
  summary: 'Remove one job permanently; a running job cannot be removed',
  permission: 'queue:remove',
  gate: 'mfa',
  params: jobParams,
  body: JobChange,
  responses: answers,
  problems,
  handler: (context) =>
    operate(context, {
      kind: 'remove',
      isPossible: ({ state }) => state !== 'active' && state !== 'waiting_children',
      wanted: 'waiting or finished',
      run: async (engine, queue, id) => {
        await engine.remove(queue, id);
        return {};
      },
    }),
});

/** Operations on single jobs: retry (S2-26), promote and remove. */
export const queueJobRoutes = [retryFailedJob, promoteJob, removeJob];
