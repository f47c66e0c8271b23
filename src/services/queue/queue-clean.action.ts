import { z } from 'zod';
import { reasonText } from '../../platform/value-schemas.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import { cleanableStates } from '../../domain/queue/queue.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { defineAction } from '../actions/action.ts';
import { startCommittedClean } from './queue-clean.client.ts';
import { lockQueue, openQueueEvent } from './queue.repository.ts';

/** The number of jobs that one cleaning removes at most. */
const maxCleaned = 100_000;

/** Which jobs are removed from which queue. */
export const queueCleanPayload = z.strictObject({
  name: z.string().min(1).max(100),
  environment: z.enum(environmentNames).describe('Environment of the queue, to confirm what is cleaned'),
  state: z.enum(cleanableStates),
  older_than_seconds: z.int().min(0).max(10 * 365 * 86_400).describe('Younger jobs are not removed'),
  limit: z.int().min(1).max(maxCleaned).default(10_000).describe('Maximum number of jobs to remove'),
  reason: reasonText,
});

type Payload = z.output<typeof queueCleanPayload>;

/**
 * Removes old jobs from a queue: with an approval in production, a second factor elsewhere. The action only decides and
 * records the cleaning, because an engine cannot take part in a transaction; `queueCleanWorkflow` carries it out.
 */
export const queueClean = defineAction({
  name: 'queue.clean',
  title: 'Remove jobs from a queue',
  permission: 'queue:clean',
  payload: queueCleanPayload,
  environment: ({ environment }) => environment,
  // Removed jobs cannot be restored.
  floor: (environment) => (environment === 'production' ? 'approval' : 'mfa'),
  reason: ({ reason }) => reason,
  describe: ({ name, environment, state, older_than_seconds, limit }) =>
    `Permanently remove up to ${limit} ${state} jobs older than ${older_than_seconds} seconds from the queue ` +
    `'${name}' in ${environment}.`,
  check: async (tx, payload) => {
    await lockCleanableQueue(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const queue = await lockCleanableQueue(tx, payload);
    const { state, older_than_seconds, limit, reason } = payload;
    const event = await openQueueEvent(tx, {
      queue_id: queue.id,
      kind: 'clean',
      reason,
      details: { job_state: state, older_than_seconds, limit, removed: 0 },
      approval_id: authority.kind === 'approval' ? authority.approval_id : null,
    });
    return { queue_id: queue.id, event_id: event.id };
  },
  // Removed jobs cannot be restored.
  undo: () => null,
  afterCommit: startCommittedClean,
});

/** @throws Problem 404, `queue.unsupported`, or `resource.conflict` for another environment. */
async function lockCleanableQueue(tx: Tx, { name, environment }: Payload) {
  const queue = await lockQueue(tx, { name });
  if (queue.provider === 'temporal') {
    throw new Problem({ code: 'queue.unsupported', detail: 'A queue of temporal cannot be cleaned.' });
  }
  if (queue.environment !== environment) {
    throw new Problem({
      code: 'resource.conflict',
      detail: `The queue belongs to ${queue.environment}, not to ${environment}.`,
      errors: [{ pointer: '/environment', detail: `must be ${queue.environment}` }],
    });
  }
  return queue;
}
