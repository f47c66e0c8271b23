import { z } from 'zod';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { Problem } from '../../platform/problem.ts';
import { defineAction } from '../actions/action.ts';
import { unregisterQueue } from './queue-registration.service.ts';
import { lockQueue } from './queue.repository.ts';

const queueUnregisterPayload = z.strictObject({ name: z.string().min(1).max(100) });

function environmentQuery(name: string) {
  return kysely.selectFrom('admin_queues').where('name', '=', name).where('removed_at', 'is', null).select('environment');
}

/**
 * Unregisters a queue. One of production takes an approval, as its cleaning does: otherwise it could be registered anew with
 * weaker gates (R9).
 */
export const queueUnregister = defineAction({
  name: 'queue.unregister',
  title: 'Unregister a queue',
  permission: 'queue:manage',
  payload: queueUnregisterPayload,
  environment: () => null,
  floor: () => 'mfa',
  unwrittenGate: 'mfa',
  demands: {
    depends_on: ['environment'],
    gate: async (db, scope, { name }) => {
      const [queue] = await read(db, scope, environmentQuery(name));
      return queue?.environment === 'production' ? 'approval' : 'mfa';
    },
  },
  reason: () => null,
  describe: ({ name }) => `Unregister the queue '${name}'; nothing changes in its engine.`,
  check: async (tx, { name }) => {
    const queue = await lockQueue(tx, { name });
    if (queue.pause_id !== null) {
      throw new Problem({ code: 'queue.already-paused', detail: 'Resume the queue first: it would stay paused.' });
    }
  },
  execute: async (tx, { name }) => {
    await unregisterQueue(tx, name);
    return { name };
  },
  undo: () => null,
});
