import type { ActorRef } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import { queueCleanStartOptions, queueCleanWorkflowType } from '../../workflows/queue/queue-clean.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/**
 * Starts the cleaning that an approved `queue.clean` has decided. Called after the execution of every request, and again
 * when that is repeated: the event of the approval says whether there is something to start, its id keeps it single.
 */
export async function startApprovedCleanings(
  { db, temporal }: Pick<ProcessDeps, 'db' | 'temporal'>,
  actor: ActorRef,
  approvalId: string,
): Promise<void> {
  const decided = await read(
    db,
    actor,
    query
      .selectFrom('admin_queue_events')
      .where('approval_id', '=', approvalId)
      .where('kind', '=', 'clean')
      .where('state', '=', 'requested')
      .select(['id', 'queue_id']),
  );
  for (const { id: event_id, queue_id } of decided) {
    await startOnce(temporal, queueCleanWorkflowType, queueCleanStartOptions({ actor, queue_id, event_id }));
  }
}
