import { sql } from 'kysely';
import type { QueueReason } from '../../domain/assignment/assignment.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { readAssignments } from './assignment-access.service.ts';
import { auditAssigned } from './assignment-audit.service.ts';
import { sendQueueWakes } from './assignment-drain.client.ts';

/** A contact that has to wait, and why. */
interface QueueRequest {
  readonly contact_id: string;
  readonly from_user_id: string | null;
  readonly preferred_user_id: string | null;
  readonly reason: QueueReason;
}

/**
 * Puts contacts at the end of a campaign's queue, in order.
 *
 * @param target without campaign the contacts wait to be assigned by hand; `former_owner` is the person they were taken
 *   from by a reassignment, who gets none of them back.
 */
export async function enqueueContacts(
  tx: Tx,
  { campaign_id, former_owner }: { readonly campaign_id: string | null; readonly former_owner: string | null },
  requests: readonly QueueRequest[],
): Promise<void> {
  if (requests.length === 0) return;
  await sql`
    insert into assignment_queue
      (tenant_id, campaign_id, contact_id, reason, preferred_user_id, former_user_id, requested_by)
    select ${tx.actor.tenant_id}::uuid, ${campaign_id}::uuid, (d.entry ->> 'contact_id')::uuid, d.entry -> 'reason',
      (d.entry ->> 'preferred_user_id')::uuid, ${former_owner}::uuid, ${tx.actor.user_id}::uuid
    from jsonb_array_elements(${JSON.stringify(requests)}::jsonb) with ordinality as d(entry, place)
    order by d.place
  `.execute(tx.sql);
  for (const { contact_id, from_user_id } of requests) {
    auditAssigned(tx, { contact_id, from_user_id, user_id: null, campaign_id, method: 'queue' });
  }
}

/** The entries of a campaign's queue, oldest first. */
export function waitingContacts(tx: Tx, campaignId: string, limit: number) {
  return tx.sql
    .selectFrom('assignment_queue')
    .where('campaign_id', '=', campaignId)
    .where('left_at', 'is', null)
    .orderBy('position')
    .limit(limit)
    .select(['id', 'contact_id', 'former_user_id', 'preferred_user_id'])
    .execute();
}

/** Takes entries out of the queue; their rows stay as history. */
export async function leaveQueue(tx: Tx, ids: readonly string[], outcome: 'assigned' | 'withdrawn'): Promise<void> {
  if (ids.length === 0) return;
  await tx.sql
    .updateTable('assignment_queue')
    .set({ left_at: sql<string>`clock_timestamp()`, outcome })
    .where('id', 'in', [...ids])
    .execute();
}

/** Wakes the queues of a user's campaigns: the user was activated again and may take what waits there. */
export async function wakeQueuesOfUser(
  deps: Pick<ProcessDeps, 'db' | 'temporal' | 'log'>,
  actor: Actor,
  userId: string,
): Promise<void> {
  const rows = await readAssignments(
    deps,
    actor,
    kysely
      .selectFrom('user_campaign_assignment')
      .where('user_id', '=', userId)
      .where('is_active', '=', true)
      .select('campaign_id'),
  );
  await sendQueueWakes(deps, actor.tenant_id, rows.map(({ campaign_id }) => campaign_id));
}
