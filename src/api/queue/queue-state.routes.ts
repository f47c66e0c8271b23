import { z } from 'zod';
import { queueClean, queueCleanPayload } from '../../services/queue/queue-clean.action.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { QueueBody, QueueEventBody, presentQueue, queueParams } from './queue.schemas.ts';
import { cleanOf } from '../../services/queue/queue-clean.client.ts';
import { route } from '../http/route.ts';
import { timestampInput, reasonText } from '../../platform/value-schemas.ts';
import { findQueueEvent, queueByName } from '../../services/queue/queue.queries.ts';
import { awaitQueueState, awaitResume, pausableQueue, pauseQueue, pausedQueue, resumeQueue } from '../../services/queue/queue-state.service.ts';

const tag = 'queue';
const path = '/admin/queues/:name';

const pauseQueueRoute = route({
  operationId: 'pauseQueue',
  method: 'post',
  path: `${path}/pause`,
  tag,
  summary: 'Pause a queue until a given time, at which it resumes automatically',
  description: 'Producers can still add jobs, and running jobs are completed. A pause lasts at most 90 days.',
  permission: 'queue:pause',
  gate: 'mfa',
  params: queueParams,
  body: z
    .strictObject({ reason: reasonText, paused_until: timestampInput.describe('When the queue resumes automatically') })
    .meta({ id: 'QueuePauseRequest' }),
  responses: { 200: QueueBody },
  problems: [
    'mfa.required',
    'resource.not-found',
    'queue.unsupported',
    'queue.already-paused',
    'service.unavailable',
  ],
  handler: async ({ actor, body, deps, mfa, params: { name }, rehearse, throughWorkflow }) => {
    await rehearse((tx) => pausableQueue({ ...deps, db: tx }, actor, { name, ...body }));
    await throughWorkflow(
      (command) => pauseQueue(deps, actor, mfa, { name, ...body }, command),
      (_stored, commandId) => awaitQueueState(deps, actor, commandId),
    );
    return presentQueue(deps.queues, await queueByName(deps, actor, name));
  },
});

const resumeQueueRoute = route({
  operationId: 'resumeQueue',
  method: 'post',
  path: `${path}/resume`,
  tag,
  summary: 'Resume a paused queue before the end of its pause',
  permission: 'queue:resume',
  gate: 'mfa',
  params: queueParams,
  body: z.strictObject({ reason: reasonText.nullable().default(null) }).prefault({}).meta({ id: 'QueueResumeRequest' }),
  responses: { 200: QueueBody },
  problems: ['mfa.required', 'resource.not-found', 'queue.unsupported', 'queue.not-paused', 'service.unavailable'],
  handler: async ({ actor, body, deps, mfa, params: { name }, rehearse, throughWorkflow }) => {
    await rehearse((tx) => pausedQueue({ ...deps, db: tx }, actor, name));
    await throughWorkflow(
      (command) => resumeQueue(deps, actor, mfa, { name, ...body }, command),
      (_stored, commandId) => awaitResume(deps, actor, commandId),
    );
    return presentQueue(deps.queues, await queueByName(deps, actor, name));
  },
});

const CleanBody = queueCleanPayload.omit({ name: true }).meta({ id: 'QueueCleanRequest' });

const cleanPayload = ({ params, body }: { params: { name: string }; body: z.output<typeof CleanBody> }) => ({
  name: params.name,
  ...body,
});

const cleanQueueRoute = route({
  operationId: 'cleanQueue',
  method: 'post',
  path: `${path}/clean`,
  tag,
  summary: 'Remove old jobs of one state permanently',
  description:
    'In production this opens an approval request and answers 202. The result is recorded in the events of the queue.',
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
    return context.change(async (tx) => {
      const { event_id } = cleanOf(await runGatedAction(tx, context, change));
      return findQueueEvent(tx, context.actor, event_id);
    });
  },
});

/** Operations on a whole queue: S2-27, S2-28. */
export const queueStateRoutes = [pauseQueueRoute, resumeQueueRoute, cleanQueueRoute];
