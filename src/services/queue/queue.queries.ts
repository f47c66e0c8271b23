import { sql } from 'kysely';
import { cleanableStates } from '../../domain/queue/queue.ts';
import type { CleanableState, QueueProviderName } from '../../domain/queue/queue.ts';
import type { Actor, ActorRef } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Position } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadSource, ReadDeps, ReadScope } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';

/** Registered queues of the tenant that reads. */
const queuesQuery = () =>
  kysely
    .selectFrom('admin_queues')
    .where('removed_at', 'is', null)
    .select(['id', 'tenant_id', 'name', 'provider', 'source_name', 'environment', 'description', 'created_at'])
    .select(['pause_id', 'pause_state', 'pause_reason', 'paused_by', 'paused_at', 'paused_until']);

/** A row of a registered queue. */
export type QueueRow = Awaited<ReturnType<ReturnType<typeof queuesQuery>['execute']>>[number];

/** A page of {@link queuesQuery} by name, with one row more than `limit`. */
export const queuesByName = (
  filter: { readonly provider?: QueueProviderName | undefined },
  { after, limit }: { readonly after: Position | null; readonly limit: number },
) =>
  queuesQuery()
    .where((eb) => eb.and({ provider: filter.provider }))
    .$call((q) => (after === null ? q : q.where(sql<boolean>`(name, id) > (${after[0]}, ${after[1]}::uuid)`)))
    .orderBy('name')
    .orderBy('id')
    .limit(limit + 1);

/** A registered queue of the tenant whose workflow asks. @throws Problem `resource.not-found` */
export async function findQueue(
  deps: ReadDeps,
  { actor, queue_id }: { readonly actor: ActorRef; readonly queue_id: string },
): Promise<Pick<QueueRow, 'id' | 'tenant_id' | 'provider' | 'source_name'>> {
  const [queue] = await read(
    deps.db,
    actor,
    kysely.selectFrom('admin_queues').where('id', '=', queue_id).select(['id', 'tenant_id', 'provider', 'source_name']),
  );
  if (queue === undefined) throw notFound('queue');
  return queue;
}

/** A registered queue of the caller's tenant. @throws Problem `resource.not-found` */
export async function queueByName(deps: ReadDeps, actor: Actor, name: string): Promise<QueueRow> {
  const [row] = await read(deps.db, actor, queuesQuery().where('name', '=', name));
  if (row === undefined) throw notFound('queue');
  return row;
}

/** Columns of an event as the API shows it. */
export const queueEventColumns = [
  'id',
  'queue_id',
  'kind',
  'state',
  'job_id',
  'reason',
  'details',
  'requested_by',
  'approval_id',
  'created_at',
  'finished_at',
] as const;

/** The events of a queue, for a page. */
export const queueEventsQuery = (queueId: string) =>
  kysely.selectFrom('admin_queue_events').where('queue_id', '=', queueId).select(queueEventColumns);

/** One event; undefined when it does not exist. */
export async function findQueueEvent(db: ReadSource, scope: ReadScope, id: string) {
  const [event] = await read(
    db,
    scope,
    kysely.selectFrom('admin_queue_events').where('id', '=', id).select(queueEventColumns),
  );
  return event;
}

/** The event of a bulk retry. @throws Problem `resource.not-found` */
export async function findBulkRetryEvent(db: ReadSource, scope: ReadScope, queueId: string, bulkId: string) {
  const wanted = queueEventsQuery(queueId).where('id', '=', bulkId).where('kind', '=', 'bulk_retry');
  const [event] = await read(db, scope, wanted);
  if (event === undefined) throw notFound('bulk retry');
  return event;
}

/** When somebody has asked that a bulk retry end; null while nobody has. */
export const cancelRequestedAt = sql<string | null>`details ->> 'cancel_requested_at'`.as('cancel_requested_at');

/** Whether a bulk retry is to end: its row says so before its workflow is told. */
export async function isBulkRetryCancelled(
  deps: ReadDeps,
  { actor, bulk_id }: { readonly actor: ActorRef; readonly bulk_id: string },
): Promise<boolean> {
  const event = kysely.selectFrom('admin_queue_events').where('id', '=', bulk_id).select(cancelRequestedAt);
  const [found] = await read(deps.db, actor, event);
  return found?.cancel_requested_at != null;
}

/** What is left of a cleaning. */
interface OpenCleaning {
  readonly state: CleanableState;
  readonly olderThanMs: number;
  readonly limit: number;
  readonly removed: number;
}

/** What is left of a cleaning; null when it is settled. The age counts from the decision, not from the attempt. */
export async function findOpenCleaning(
  db: ReadSource,
  scope: ReadScope,
  eventId: string,
): Promise<OpenCleaning | null> {
  const [event] = await read(
    db,
    scope,
    kysely
      .selectFrom('admin_queue_events')
      .where('id', '=', eventId)
      .where('state', 'in', ['requested', 'running'])
      .select(['details', sql<number>`ceil(extract(epoch from now() - created_at) * 1000)::float8`.as('sinceMs')]),
  );
  if (event === undefined) return null;
  const { job_state, older_than_seconds, limit, removed } = event.details;
  const state = cleanableStates.find((one) => one === job_state);
  if (state === undefined) return null;
  return {
    state,
    olderThanMs: Number(older_than_seconds) * 1000 + event.sinceMs,
    limit: Number(limit),
    removed: Number(removed),
  };
}

/** Registered queues that one round of the health collector measures. */
export function measuredQueues(db: ReadSource, tenantId: string, limit: number) {
  return read(
    db,
    { tenant_id: tenantId, user_id: null },
    kysely
      .selectFrom('admin_queues')
      .where('removed_at', 'is', null)
      .orderBy('id')
      .limit(limit)
      .select(['tenant_id', 'provider', 'source_name']),
  );
}
