import { fromNow, hour } from '../../support/factories/defaults.ts';
import { take } from './approval-operations.ts';
import type { Operation } from './command.ts';
import { newMarker } from './world.ts';

/** An attempt whose engine could not be reached is recorded, too, and is no effect. */
const events = (kind: string) => `select reason as marker, count(*)::int as n from admin_queue_events
  where kind = '${kind}' and state <> 'failed' and reason = any($1) group by 1`;

function switching(verb: 'pause' | 'resume', weight: number): Operation {
  return {
    name: `${verb} a queue`,
    weight,
    event: `queue.${verb}`,
    effects: events(verb),
    answersPresentState: true,
    plan: (tenant, random) => {
      const queue = take(tenant.queues, random, ({ isPaused }) => isPaused === (verb === 'resume'));
      if (queue === undefined) return null;
      const marker = newMarker();
      const body = { reason: marker, ...(verb === 'pause' ? { paused_until: fromNow(hour) } : {}) };
      const path = `/admin/queues/${queue.name}/${verb}`;
      return { person: random.pick(tenant.admins), method: 'POST', path, body, marker, about: queue.name };
    },
    learn: (tenant, { about }) => tenant.queues.push({ name: about as string, isPaused: verb === 'pause' }),
  };
}

/** Operations on queues of BullMQ, which keeps them in the same database. */
export const queueOperations: readonly Operation[] = [
  {
    name: 'register a queue',
    weight: 2,
    event: 'queue.register',
    effects: 'select name as marker, count(*)::int as n from admin_queues where name = any($1) group by 1',
    answersPresentState: true,
    plan: (tenant, random) => {
      const marker = newMarker();
      // The name tells whose it is.
      const body = { name: marker, provider: 'bullmq', source_name: `${tenant.id}.${marker}`, environment: 'staging' };
      return { person: random.pick(tenant.admins), method: 'POST', path: '/admin/queues', body, marker };
    },
    learn: (tenant, { marker }) => tenant.queues.push({ name: marker, isPaused: false }),
  },
  switching('pause', 3),
  switching('resume', 3),
];
