import { z } from 'zod';
import { countByErrorClass, maxClassLength, newFailureRatio, selectForRetry } from '../../domain/queue/queue-retry.ts';
import { queueEventStates } from '../../domain/queue/queue.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { scanFailedJobs } from '../../services/queue/queue-failures.ts';
import { assertQueueCapability } from '../../platform/outbound/queue-provider.ts';
import { cancelBulkRetrySignal, queueBulkRetryWorkflowId } from '../../workflows/queue/queue-bulk-retry.contract.ts';
import { queueEventColumns, queueParams } from './queue.schemas.ts';
import { bulkRetryProgress, startBulkRetry } from '../../services/queue/queue.client.ts';
import { queueByName } from '../../services/queue/queue.queries.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { timestamp } from '../../platform/value-schemas.ts';

const tag = 'queue';
const path = '/admin/queues/:name/bulk-retries';
const bulkParams = queueParams.extend({ bulk_id: z.uuid() });
const cap = z.coerce.number().int().min(1).max(5_000).default(1_000).describe('No more jobs than these are retried');
const errorClass = z.string().min(1).max(maxClassLength);

const PreviewBody = z
  .object({
    scanned: z.number().int().describe('How many failed jobs were looked at'),
    is_complete: z.boolean().describe('False: there are more; the oldest ones were not looked at'),
    classes: z.array(
      z.object({
        error_class: z.string(),
        count: z.number().int().describe('Failed jobs of this class'),
        sample: z.string().describe('One of the messages, with secrets masked'),
        oldest_at: timestamp,
        newest_at: timestamp,
      }),
    ),
    would_retry: z.number().int().describe('How many a bulk retry with this class and cap would take'),
  })
  .meta({ id: 'BulkRetryPreview' });

const previewBulkRetry = route({
  operationId: 'previewBulkRetry',
  method: 'get',
  path: `${path}/preview`,
  tag,
  summary: 'Failed jobs by class of their error, and what a bulk retry would take; changes nothing',
  permission: 'queue:read',
  gate: 'none',
  params: queueParams,
  query: z.strictObject({ cap, error_class: errorClass.optional().describe('Without it: all classes') }),
  responses: { 200: PreviewBody },
  problems: ['resource.not-found', 'queue.unsupported', 'service.unavailable'],
  handler: async ({ actor, deps, params, query: plan }) => {
    const queue = await queueByName(deps, actor, params.name);
    const engine = deps.queues.of(queue.provider);
    assertQueueCapability(engine, 'retry');
    const { jobs, is_complete } = await scanFailedJobs(engine, queue);
    const error_classes = plan.error_class === undefined ? [] : [plan.error_class];
    return {
      scanned: jobs.length,
      is_complete,
      classes: countByErrorClass(jobs),
      would_retry: selectForRetry(jobs, { error_classes, cap: plan.cap }).length,
    };
  },
});

const count = (what: string) => z.number().int().min(0).describe(what);

const BulkRetryBody = z
  .object({
    id: z.uuid(),
    state: z.enum(queueEventStates).describe('stopped: too many of the retried jobs failed anew'),
    reason: z.string().nullable(),
    error_classes: z.array(z.string()).describe('Empty: all'),
    cap,
    per_second: z.number().describe('Jobs retried a second, at most'),
    max_new_failure_ratio: z.number().describe('Share of settled jobs that may fail anew'),
    min_samples: z.number().int().describe('Settled jobs before the share counts'),
    progress: z
      .object({
        selected: count('Jobs that were taken'),
        retried: count('Jobs that were retried'),
        skipped: count('Gone or changed by the time it was their turn'),
        completed: count('Retried and completed'),
        failed_again: count('Retried and failed anew'),
        new_failure_ratio: z.number().nullable().describe('failed_again by all that are settled'),
      })
      .nullable()
      .describe('Null: it cannot be asked at the moment'),
    requested_by: z.uuid().nullable(),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'BulkRetry' });

type Context = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'deps' | 'read'>;

async function showBulkRetry({ actor, deps, read }: Context, queueId: string, bulkId: string) {
  const [event] = await read(
    query
      .selectFrom('admin_queue_events')
      .where('id', '=', bulkId)
      .where('queue_id', '=', queueId)
      .where('kind', '=', 'bulk_retry')
      .select(queueEventColumns),
  );
  if (event === undefined) throw notFound('bulk retry');
  const { details, ...known } = event;
  const counts =
    event.state === 'running' ? await bulkRetryProgress(deps, actor, { queue_id: queueId, bulk_id: bulkId }) : null;
  const live = counts === null ? null : { ...counts, new_failure_ratio: newFailureRatio(counts) };
  return { ...details, ...known, progress: live ?? ('selected' in details ? details : null) };
}

const startBulkRetryRoute = route({
  operationId: 'startBulkRetry',
  method: 'post',
  path,
  tag,
  summary: 'Retry many failed jobs, with a cap, a rate, and a stop when too many fail anew',
  permission: 'queue:bulk-retry',
  gate: 'mfa',
  params: queueParams,
  body: z
    .strictObject({
      reason: z.string().trim().min(1).max(500),
      error_classes: z.array(errorClass).max(50).default([]).describe('As the preview names them; empty: all'),
      cap: z.int().min(1).max(5_000).default(1_000).describe('No more jobs than these are retried'),
      per_second: z.int().min(1).max(100).default(10).describe('Jobs retried a second, at most'),
      max_new_failure_ratio: z.number().min(0).max(1).default(0.5).describe('Share of settled jobs that may fail anew'),
      min_samples: z.int().min(1).max(1_000).default(10).describe('Settled jobs before the share counts'),
    })
    .meta({ id: 'BulkRetryRequest' }),
  responses: { 202: BulkRetryBody },
  problems: ['mfa.required', 'resource.not-found', 'queue.unsupported', 'queue.retry-running', 'service.unavailable'],
  handler: async ({ actor, body, deps, mfa, params, read }) => {
    const queue = await queueByName(deps, actor, params.name);
    assertQueueCapability(deps.queues.of(queue.provider), 'retry');
    const { reason, ...plan } = body;
    const id = await startBulkRetry(deps, actor, mfa, { queue_id: queue.id, reason, plan });
    const location = `/admin/queues/${params.name}/bulk-retries/${id}`;
    return reply(202, await showBulkRetry({ actor, deps, read }, queue.id, id), { location });
  },
});

const getBulkRetry = route({
  operationId: 'getBulkRetry',
  method: 'get',
  path: `${path}/:bulk_id`,
  tag,
  summary: 'How far a bulk retry is',
  permission: 'queue:read',
  gate: 'none',
  params: bulkParams,
  responses: { 200: BulkRetryBody },
  problems: ['resource.not-found'],
  handler: async ({ params, ...context }) => {
    const queue = await queueByName(context.deps, context.actor, params.name);
    return showBulkRetry(context, queue.id, params.bulk_id);
  },
});

const cancelBulkRetry = route({
  operationId: 'cancelBulkRetry',
  method: 'post',
  path: `${path}/:bulk_id/cancel`,
  tag,
  summary: 'End a bulk retry early; what is retried stays retried',
  permission: 'queue:bulk-retry',
  gate: 'none',
  params: bulkParams,
  responses: { 202: BulkRetryBody },
  problems: ['resource.not-found', 'queue.retry-over', 'service.unavailable'],
  handler: async ({ params, ...context }) => {
    const { actor, deps, unitOfWork } = context;
    const queue = await queueByName(deps, actor, params.name);
    const shown = await showBulkRetry(context, queue.id, params.bulk_id);
    if (shown.state !== 'running') {
      throw new Problem({ code: 'queue.retry-over', detail: 'The bulk retry has ended already.' });
    }
    await unitOfWork(async (tx) => {
      const event = { resource_type: 'queue', resource_id: queue.id, new_values: { event_id: params.bulk_id } };
      tx.audit({ event: 'queue.bulk-retry-cancel', action: 'update', ...event });
    });
    const id = queueBulkRetryWorkflowId(actor.tenant_id, queue.id);
    await deps.temporal.call((client) => client.workflow.getHandle(id).signal(cancelBulkRetrySignal));
    return showBulkRetry(context, queue.id, params.bulk_id);
  },
});

/** Bulk retry: preview, start, progress and cancelling. */
export const queueRetryRoutes = [previewBulkRetry, startBulkRetryRoute, getBulkRetry, cancelBulkRetry];
