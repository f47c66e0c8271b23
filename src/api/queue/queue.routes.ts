import { z } from 'zod';
import { environmentNames } from '../../domain/shared/environment.ts';
import { queueJobStates, queueProviderNames } from '../../domain/queue/queue.ts';
import { namePosition, newestFirst, newestPage, pageOf, pageQuery, parseCursor, toPage } from '../../platform/database/keyset-page.ts';
import { queueByName, queueEventsQuery, queuesByName } from '../../services/queue/queue.queries.ts';
import { listQueueJobs } from '../../services/queue/queue-job-list.service.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { proseText } from '../../platform/value-schemas.ts';
import { registerQueue } from '../../services/queue/queue-registration.service.ts';
import { queueUnregister } from '../../services/queue/queue-unregister.action.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { liveStates } from '../../services/queue/queue-snapshot.service.ts';
import { reply, route } from '../http/route.ts';
import { queueBulkRetryRoutes } from './queue-bulk-retry.routes.ts';
import { queueJobRoutes } from './queue-job.routes.ts';
import { JobBody, QueueBody, QueueDetail, QueueEventBody, QueueItem, presentJob, presentQueue, queueParams } from './queue.schemas.ts';
import { queueStateRoutes } from './queue-state.routes.ts';

const tag = 'queue';
const path = '/admin/queues';

const getQueues = route({
  operationId: 'getQueues',
  method: 'get',
  path,
  tag,
  summary: 'Registered queues by name, with their current state in the engines',
  description: 'Queues of an engine that cannot be reached are listed with `live: null`.',
  permission: 'queue:read',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, provider: z.enum(queueProviderNames).optional() }),
  responses: { 200: pageOf(QueueItem) },
  problems: ['request.cursor-invalid'],
  handler: async ({ deps, query: { limit, cursor, provider }, read }) => {
    const rows = await read(queuesByName({ provider }, { after: parseCursor(cursor, namePosition), limit }));
    const live = await liveStates(deps, rows.slice(0, limit));
    return toPage(rows, limit, (row) => [row.name, row.id], (row) => ({
      ...presentQueue(deps.queues, row),
      live: live.get(row.id) ?? null,
    }));
  },
});

const getQueueDetails = route({
  operationId: 'getQueueDetails',
  method: 'get',
  path: `${path}/:name`,
  tag,
  summary: 'One queue with the age of its oldest waiting job and its rates',
  permission: 'queue:read',
  gate: 'none',
  params: queueParams,
  responses: { 200: QueueDetail },
  problems: ['resource.not-found', 'service.unavailable'],
  handler: async ({ actor, deps, params }) => {
    const row = await queueByName(deps, actor, params.name);
    const engine = deps.queues.of(row.provider);
    const [live, rates] = await Promise.all([engine.snapshot(row), engine.rates(row)]);
    return { ...presentQueue(deps.queues, row), live, rates };
  },
});

const getQueueJobs = route({
  operationId: 'getQueueJobs',
  method: 'get',
  path: `${path}/:name/jobs`,
  tag,
  summary: 'Jobs of a queue in one state, with masked data',
  description:
    'Finished jobs newest first, waiting ones in the order of processing. A queue changes while it is read: between ' +
    'two pages a job can be listed twice or missed.',
  permission: 'queue:read',
  gate: 'none',
  params: queueParams,
  query: z.strictObject({ ...pageQuery, state: z.enum(queueJobStates).default('failed') }),
  responses: { 200: pageOf(JobBody) },
  problems: ['resource.not-found', 'request.cursor-invalid', 'queue.unsupported', 'service.unavailable'],
  handler: async ({ actor, deps, params, query: page }) => {
    const { jobs, next_cursor } = await listQueueJobs(deps, actor, params.name, page);
    return { items: jobs.map(presentJob), next_cursor };
  },
});

const getQueueEvents = route({
  operationId: 'getQueueEvents',
  method: 'get',
  path: `${path}/:name/events`,
  tag,
  summary: 'Operations on a queue, newest first',
  permission: 'queue:read',
  gate: 'none',
  params: queueParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(QueueEventBody) },
  problems: ['resource.not-found', 'request.cursor-invalid'],
  handler: async ({ actor, deps, params, query: { limit, cursor }, read }) => {
    const { id } = await queueByName(deps, actor, params.name);
    const rows = await read(queueEventsQuery(id).$call(newestFirst({ limit, cursor })));
    return newestPage(rows, limit);
  },
});

const createQueue = route({
  operationId: 'registerQueue',
  method: 'post',
  path,
  tag,
  summary: 'Register a queue of an engine, so that it can be administered',
  description:
    'Engines have no tenants, so the name of a queue identifies its owner: `<tenant id>.<anything>`. Names without a ' +
    'tenant belong to the default tenant, whose staff run the platform.',
  permission: 'queue:manage',
  gate: 'mfa',
  body: z
    .strictObject({
      name: queueParams.shape.name,
      provider: z.enum(queueProviderNames),
      source_name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/),
      environment: z.enum(environmentNames),
      description: proseText(1000, 0).default(''),
    })
    .meta({ id: 'QueueRegistration' }),
  responses: { 201: QueueBody },
  problems: ['mfa.required', 'resource.conflict', 'queue.source-refused', 'queue.environment-fixed'],
  handler: ({ actor, body, deps, change }) =>
    change(async (tx) => {
      await registerQueue(tx, body, deps.temporal.taskQueue);
      const row = await queueByName({ db: tx }, actor, body.name);
      return presentQueue(deps.queues, row);
    }),
});

const deleteQueue = route({
  operationId: 'unregisterQueue',
  method: 'delete',
  path: `${path}/:name`,
  tag,
  summary: 'Unregister a queue; nothing changes in its engine',
  description: 'A queue of production takes an approval: 202.',
  permission: 'queue:manage',
  gate: { action: queueUnregister.name, payload: ({ params }) => params },
  params: queueParams,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['mfa.required', 'resource.not-found', 'queue.already-paused'],
  handler: (context) => {
    const change = queueUnregister.prepare(context.params);
    return context.change(async (tx) => {
      await runGatedAction(tx, context, change);
      return reply(204);
    });
  },
});

/** Queues of BullMQ and Temporal: S2-23..28, S2-49, S2-67. */
export const queueRoutes = [
  getQueues,
  createQueue,
  getQueueDetails,
  deleteQueue,
  getQueueJobs,
  getQueueEvents,
  ...queueJobRoutes,
  ...queueStateRoutes,
  ...queueBulkRetryRoutes,
];
