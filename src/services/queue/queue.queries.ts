import type { StoredQueue } from './queue.repository.ts';
import type { Actor, ActorRef } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** Registered queues of the tenant that reads. */
export const queuesQuery = () =>
  query
    .selectFrom('admin_queues')
    .where('removed_at', 'is', null)
    .select(['id', 'tenant_id', 'name', 'provider', 'source_name', 'environment', 'description', 'created_at'])
    .select(['pause_id', 'pause_state', 'pause_reason', 'paused_by', 'paused_at', 'paused_until']);

export type QueueRow = Awaited<ReturnType<ReturnType<typeof queuesQuery>['execute']>>[number];

/** A registered queue, by the eyes of the tenant whose workflow asks. @throws Problem `resource.not-found` */
export async function findQueue(
  deps: Pick<ProcessDeps, 'db'>,
  { actor, queue_id }: { readonly actor: ActorRef; readonly queue_id: string },
): Promise<Pick<StoredQueue, 'id' | 'tenant_id' | 'provider' | 'source_name'>> {
  const [queue] = await read(
    deps.db,
    actor,
    query.selectFrom('admin_queues').where('id', '=', queue_id).select(['id', 'tenant_id', 'provider', 'source_name']),
  );
  if (queue === undefined) throw notFound('queue');
  return queue;
}

/** A registered queue of the caller's tenant. @throws Problem `resource.not-found` */
export async function queueByName(deps: Pick<ProcessDeps, 'db'>, actor: Actor, name: string): Promise<QueueRow> {
  const [row] = await read(deps.db, actor, queuesQuery().where('name', '=', name));
  if (row === undefined) throw notFound('queue');
  return row;
}
