import { z } from 'zod';
import {
  endBulkRetry,
  getBulkRetry,
  previewBulkRetry,
  requestBulkRetry,
  retryableQueue,
} from '../../services/queue/queue-bulk-retry.service.ts';
import { reply, route } from '../http/route.ts';
import { BulkRetryBody, BulkRetryPreviewBody, BulkRetryRequest, capQuery, errorClass } from './queue-bulk-retry.schemas.ts';
import { queueParams } from './queue.schemas.ts';
import { uuid } from '../../platform/value-schemas.ts';

const tag = 'queue';
const path = '/admin/queues/:name/bulk-retries';
const bulkParams = queueParams.extend({ bulk_id: uuid });
const bulkRetryId = ({ name, bulk_id }: z.output<typeof bulkParams>) => ({ queue_name: name, bulk_id });

const previewBulkRetryRoute = route({
  operationId: 'previewBulkRetry',
  method: 'get',
  path: `${path}/preview`,
  tag,
  summary: 'Preview of a bulk retry: failed jobs by error class and how many would be retried',
  permission: 'queue:read',
  gate: 'none',
  params: queueParams,
  query: z.strictObject({ cap: capQuery, error_class: errorClass.optional().describe('When omitted: all classes') }),
  responses: { 200: BulkRetryPreviewBody },
  problems: ['resource.not-found', 'queue.unsupported', 'service.unavailable'],
  handler: ({ actor, deps, params, query: plan }) => previewBulkRetry(deps, actor, params.name, plan),
});

const startBulkRetryRoute = route({
  operationId: 'startBulkRetry',
  method: 'post',
  path,
  tag,
  summary: 'Retry many failed jobs, with a cap, a rate, and a stop when too many fail again',
  permission: 'queue:bulk-retry',
  gate: 'mfa',
  params: queueParams,
  body: BulkRetryRequest,
  responses: { 202: BulkRetryBody },
  problems: ['mfa.required', 'resource.not-found', 'queue.unsupported', 'queue.retry-running', 'service.unavailable'],
  handler: async ({ actor, body: { reason, ...plan }, deps, mfa, params, rehearse, throughWorkflow }) => {
    await rehearse((tx) => retryableQueue({ ...deps, db: tx }, actor, params.name));
    const request = { queue_name: params.name, reason, plan };
    const bulk_id = await throughWorkflow(
      (command) => requestBulkRetry(deps, actor, mfa, request, command),
      (_stored, commandId) => commandId,
    );
    const retry = await getBulkRetry(deps, actor, { queue_name: params.name, bulk_id });
    return reply(202, retry, { location: `/admin/queues/${params.name}/bulk-retries/${retry.id}` });
  },
});

const getBulkRetryRoute = route({
  operationId: 'getBulkRetry',
  method: 'get',
  path: `${path}/:bulk_id`,
  tag,
  summary: 'Progress of a bulk retry',
  permission: 'queue:read',
  gate: 'none',
  params: bulkParams,
  responses: { 200: BulkRetryBody },
  problems: ['resource.not-found'],
  handler: ({ actor, deps, params }) => getBulkRetry(deps, actor, bulkRetryId(params)),
});

const cancelBulkRetryRoute = route({
  operationId: 'cancelBulkRetry',
  method: 'post',
  path: `${path}/:bulk_id/cancel`,
  tag,
  summary: 'End a bulk retry early; jobs that were retried already are not affected',
  permission: 'queue:bulk-retry',
  gate: 'none',
  params: bulkParams,
  responses: { 202: BulkRetryBody },
  problems: ['resource.not-found', 'queue.retry-over', 'service.unavailable'],
  handler: ({ deps, params, change }) =>
    change(async (tx) => reply(202, await endBulkRetry(deps, tx, bulkRetryId(params)))),
});

/** Bulk retry: preview, start, progress and cancelling. */
export const queueBulkRetryRoutes = [previewBulkRetryRoute, startBulkRetryRoute, getBulkRetryRoute, cancelBulkRetryRoute];
