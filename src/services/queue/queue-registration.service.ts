import { sql } from 'kysely';
import { environmentNames } from '../../domain/shared/environment.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { maySeeSource } from '../../domain/queue/queue.ts';
import type { QueueProviderName } from '../../domain/queue/queue.ts';
import { Problem, taken } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../platform/row-version.ts';
import { lockQueue, openQueueEvent } from './queue.repository.ts';

/** A queue of an engine, with the name that the tenant gives it. */
interface QueueRegistration {
  readonly name: string;
  readonly provider: QueueProviderName;
  readonly source_name: string;
  readonly environment: EnvironmentName;
  readonly description: string;
}

/**
 * Registers a queue for the actor's tenant.
 *
 * @param sharedTaskQueue the task queue of this installation's workflows.
 * @throws Problem `queue.source-refused` for a queue of another tenant, `queue.environment-fixed`, `resource.conflict` for one that is registered.
 */
export async function registerQueue(tx: Tx, queue: QueueRegistration, sharedTaskQueue: string): Promise<void> {
  if (!maySeeSource(tx.actor.tenant_id, queue, sharedTaskQueue)) {
    throw new Problem({
      code: 'queue.source-refused',
      detail: `Queues of this tenant are called '${tx.actor.tenant_id}.<name>' in ${queue.provider}.`,
    });
  }
  await assertEnvironmentKept(tx, queue);
  const inserted = await tx.sql
    .insertInto('admin_queues')
    .values({ ...queue, tenant_id: tx.actor.tenant_id, created_by: tx.actor.user_id })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  if (inserted === undefined) throw await registeredAlready(tx, queue);
  await openQueueEvent(tx, { queue_id: inserted.id, kind: 'register', state: 'done', details: { ...queue } });
}

/** The problem of a name or source that a registered queue has. */
async function registeredAlready(tx: Tx, { name, provider, source_name }: QueueRegistration): Promise<Problem> {
  const ofSource = await tx.sql
    .selectFrom('admin_queues')
    .where('removed_at', 'is', null)
    .where('provider', '=', provider)
    .where('source_name', '=', source_name)
    .select('name')
    .executeTakeFirst();
  return ofSource === undefined || ofSource.name === name
    ? taken('name', `There is a queue with the name ${name} already.`)
    : taken('source_name', `This source is registered already, as the queue ${ofSource.name}.`);
}

/**
 * A source that has belonged to an environment is not registered under one nearer to development: the gates of its
 * environment would be gone (R9).
 *
 * @throws Problem `queue.environment-fixed`.
 */
async function assertEnvironmentKept(tx: Tx, { provider, source_name, environment }: QueueRegistration): Promise<void> {
  const earlier = await tx.sql
    .selectFrom('admin_queues')
    .where('provider', '=', provider)
    .where('source_name', '=', source_name)
    .select('environment')
    .execute();
  const strictest = environmentNames.findLast((name) => earlier.some((queue) => queue.environment === name));
  if (strictest === undefined || environmentNames.indexOf(environment) >= environmentNames.indexOf(strictest)) return;
  throw new Problem({
    code: 'queue.environment-fixed',
    detail: `This source belongs to ${strictest} and cannot be registered for ${environment}.`,
  });
}

/** Unregisters a queue; it stays as it is in its engine. @throws Problem 404, `queue.already-paused` */
export async function unregisterQueue(tx: Tx, name: string): Promise<void> {
  const queue = await lockQueue(tx, { name });
  if (queue.pause_id !== null) {
    throw new Problem({ code: 'queue.already-paused', detail: 'Resume the queue first: it would stay paused.' });
  }
  await tx.sql
    .updateTable('admin_queues')
    .set({ removed_at: sql<string>`now()`, updated_at: sql<string>`now()`, version: nextVersion() })
    .where('id', '=', queue.id)
    .execute();
  await openQueueEvent(tx, { queue_id: queue.id, kind: 'unregister', state: 'done' });
}
