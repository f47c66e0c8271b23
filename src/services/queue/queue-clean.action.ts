import { z } from 'zod';
import { environmentNames } from '../../domain/shared/environment.ts';
import { cleanableStates } from '../../domain/queue/queue.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { defineAction } from '../actions/action.ts';
import { startCommittedClean } from './queue-clean.client.ts';
import { lockQueue, openQueueEvent } from './queue.repository.ts';

/** The most jobs that one cleaning takes away. */
const maxCleaned = 100_000;

export const queueCleanPayload = z.strictObject({
  name: z.string().min(1).max(100),
  environment: z.enum(environmentNames).describe('That of the queue: what is about to be cleaned has to be known'),
  state: z.enum(cleanableStates),
  older_than_seconds: z.int().min(0).max(10 * 365 * 86_400).describe('Younger jobs stay'),
  limit: z.int().min(1).max(maxCleaned).default(10_000).describe('No more jobs than these are taken away'),
  reason: z.string().trim().min(1).max(500),
});

type Payload = z.output<typeof queueCleanPayload>;

/**
 * Takes old jobs away from a queue: approval in production, a factor elsewhere. Here it is only decided and written
 * down, because an engine cannot take part in a transaction; `queueCleanWorkflow` does it.
 */
export const queueClean = defineAction({
  name: 'queue.clean',
  title: 'Take jobs away from a queue',
  permission: 'queue:clean',
  payload: queueCleanPayload,
  environment: ({ environment }) => environment,
  reason: ({ reason }) => reason,
  describe: ({ name, environment, state, older_than_seconds, limit }) =>
    `Take up to ${limit} ${state} jobs older than ${older_than_seconds} seconds away from the queue '${name}' in ` +
    `${environment}, for good.`,
  check: async (tx, payload) => {
    await requireQueue(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const queue = await requireQueue(tx, payload);
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
  // What is gone is gone.
  undo: () => null,
  afterCommit: startCommittedClean,
  isLostWithoutAfterCommit: true,
});

async function requireQueue(tx: Tx, { name, environment }: Payload) {
  const queue = await lockQueue(tx, { name });
  if (queue.provider === 'temporal') {
    throw new Problem({ code: 'queue.unsupported', detail: 'A queue of temporal cannot be cleaned.' });
  }
  if (queue.environment !== environment) {
    throw new Problem({
      code: 'resource.conflict',
      detail: `The queue belongs to ${queue.environment}, not to ${environment}.`,
    });
  }
  return queue;
}
