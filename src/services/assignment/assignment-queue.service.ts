import { sql } from 'kysely';
import type { QueueReason } from '../../domain/assignment/assignment.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { auditAssigned } from './assignment-audit.service.ts';

/** A contact that has to wait, and why. */
export interface Waiting {
  readonly contact_id: string;
  readonly from_user_id: string | null;
  readonly preferred_user_id: string | null;
  readonly reason: QueueReason;
}

/** Puts contacts at the end of a campaign's queue, in order; without campaign they wait to be taken by hand. */
export async function enqueue(
  tx: Tx,
  { campaign_id, former_owner }: { readonly campaign_id: string | null; readonly former_owner: string | null },
  waiting: readonly Waiting[],
): Promise<void> {
  if (waiting.length === 0) return;
  await sql`
    insert into assignment_queue
      (tenant_id, campaign_id, contact_id, reason, preferred_user_id, former_user_id, requested_by)
    select ${tx.actor.tenant_id}::uuid, ${campaign_id}::uuid, (d.entry ->> 'contact_id')::uuid, d.entry -> 'reason',
      (d.entry ->> 'preferred_user_id')::uuid, ${former_owner}::uuid, ${tx.actor.user_id}::uuid
    from jsonb_array_elements(${JSON.stringify(waiting)}::jsonb) with ordinality as d(entry, place)
    order by d.place
  `.execute(tx.sql);
  for (const { contact_id, from_user_id } of waiting) {
    auditAssigned(tx, { contact_id, from_user_id, user_id: null, campaign_id, method: 'queue' });
  }
}

/** What waits in a campaign, oldest first. */
export function waitingIn(tx: Tx, campaignId: string, limit: number) {
  return tx.sql
    .selectFrom('assignment_queue')
    .where('campaign_id', '=', campaignId)
    .where('left_at', 'is', null)
    .orderBy('position')
    .limit(limit)
    .select(['id', 'contact_id', 'former_user_id', 'preferred_user_id'])
    .execute();
}

/** Takes entries out of the queue; their rows stay. */
export async function leaveQueue(tx: Tx, ids: readonly string[], outcome: 'assigned' | 'withdrawn'): Promise<void> {
  if (ids.length === 0) return;
  await tx.sql
    .updateTable('assignment_queue')
    .set({ left_at: sql<string>`clock_timestamp()`, outcome })
    .where('id', 'in', [...ids])
    .execute();
}
