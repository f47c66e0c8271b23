import { z } from 'zod';
import { queueClean, queueCleanPayload } from '../../services/queue/queue-clean.action.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { assertQueueCapability } from '../../platform/outbound/queue-provider.ts';
import { query } from '../../entities/kysely-schema.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { QueueBody, QueueEventBody, presentQueue, queueEventColumns, queueParams } from './queue.schemas.ts';
import { cleanOf } from '../../services/queue/queue-clean.client.ts';
import { resumeNow, startPause } from '../../services/queue/queue.client.ts';
import { queueByName } from '../../services/queue/queue.queries.ts';
import { route } from '../http/route.ts';
import { moment } from '../../platform/value-schemas.ts';

const tag = 'queue';
const path = '/admin/queues/:name';
const reason = z.string().trim().min(1).max(500);
const maxPauseMs = 90 * 86_400_000;

const pauseQueue = route({
  operationId: 'pauseQueue',
  method: 'post',
  path: `${path}/pause`,
  tag,
  summary: 'Stop a queue until a time at which it goes on by itself',
  description: 'Producers go on adding jobs, and jobs that run go on to their end. At most 90 days.',
  permission: 'queue:pause',
  gate: 'mfa',
  params: queueParams,
  body: z
    .strictObject({ reason, paused_until: moment.describe('When the queue goes on by itself') })
    .meta({ id: 'QueuePauseRequest' }),
  responses: { 200: QueueBody },
  problems: [
    'mfa.required',
    'resource.not-found',
    'queue.unsupported',
    'queue.already-paused',
    'service.unavailable',
  ],
  handler: async ({ actor, body, deps, mfa, params }) => {
    const queue = await queueByName(deps, actor, params.name);
    const paused_until = Date.parse(body.paused_until);
    const restMs = paused_until - deps.now();
    if (restMs <= 0 || restMs > maxPauseMs) {
      throw invalidInput([{ pointer: '/paused_until', detail: 'has to be in the future, within 90 days' }]);
    }
    assertQueueCapability(deps.queues.of(queue.provider), 'pause');
    await startPause(deps, actor, mfa, { queue_id: queue.id, reason: body.reason, paused_until });
    return presentQueue(deps.queues, await queueByName(deps, actor, params.name));
  },
});

const resumeQueue = route({
  operationId: 'resumeQueue',
  method: 'post',
  path: `${path}/resume`,
  tag,
  summary: 'Let a paused queue go on before its time',
  permission: 'queue:resume',
  gate: 'mfa',
  params: queueParams,
  body: z.strictObject({ reason: reason.nullable().default(null) }).prefault({}).meta({ id: 'QueueResumeRequest' }),
  responses: { 200: QueueBody },
  problems: ['mfa.required', 'resource.not-found', 'queue.unsupported', 'queue.not-paused', 'service.unavailable'],
  handler: async ({ actor, body, deps, mfa, params }) => {
    const queue = await queueByName(deps, actor, params.name);
    assertQueueCapability(deps.queues.of(queue.provider), 'pause');
    await resumeNow(deps, actor, mfa, { queue, reason: body.reason });
    return presentQueue(deps.queues, await queueByName(deps, actor, params.name));
  },
});

const CleanBody = queueCleanPayload.omit({ name: true }).meta({ id: 'QueueCleanRequest' });

/** What `queue.clean` says when it is decided. */

const cleanPayload = ({ params, body }: { params: { name: string }; body: z.output<typeof CleanBody> }) => ({
  name: params.name,
  ...body,
});

const cleanQueue = route({
  operationId: 'cleanQueue',
  method: 'post',
  path: `${path}/clean`,
  tag,
  summary: 'Take old jobs of one state away for good',
  description:
    'In production this opens an approval request and answers 202. What came of the cleaning stands in the events.',
  permission: 'queue:clean',
  gate: { action: queueClean.name, environment: ({ body }) => body.environment, payload: cleanPayload },
  params: queueParams,
  body: CleanBody,
  responses: { 200: QueueEventBody, 202: ApprovalBody },
  problems: [
    'mfa.required',
    'resource.not-found',
    'resource.conflict',
    'queue.unsupported',
    'approval.policy-unsatisfiable',
    'service.unavailable',
  ],
  handler: async (context) => {
    const change = queueClean.prepare(cleanPayload(context));
    const { event_id } = cleanOf(await runGatedAction(context, change));
    const [event] = await context.read(
      query.selectFrom('admin_queue_events').where('id', '=', event_id).select(queueEventColumns),
    );
    return event;
  },
});

/** What is done to a whole queue: S2-27, S2-28. */
export const queueStateRoutes = [pauseQueue, resumeQueue, cleanQueue];
