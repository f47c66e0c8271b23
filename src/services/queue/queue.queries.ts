import type { StoredQueue } from './queue.repository.ts';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import type { ActivityDeps } from '../../activities/deps.ts';

/** A registered queue, by the eyes of the tenant whose workflow asks. @throws Problem `resource.not-found` */
export async function findQueue(
  deps: Pick<ActivityDeps, 'db'>,
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
