import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';
import { numberPosition, parseCursor } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** Contacts that wait in a campaign, the next one first: one row more than the page. */
export function queueList(campaignId: string, { limit, cursor }: Page) {
  const after = parseCursor(cursor, numberPosition);
  return kysely
    .selectFrom('assignment_queue')
    .where('campaign_id', '=', campaignId)
    .where('left_at', 'is', null)
    .$if(after !== null, (q) => q.where(sql<boolean>`position > ${after?.[0]}::bigint`))
    .orderBy('position')
    .limit(limit + 1)
    .select(['id', 'contact_id', 'campaign_id', 'position', 'reason', 'requested_by', 'created_at']);
}

/** How many contacts wait in a campaign, and when the next absent member of its pool returns (RFC 3339). */
export async function queueOutlook(
  tx: Tx,
  campaignId: string,
): Promise<{ waiting: number; next_return_at: string | null }> {
  const { waiting } = await tx.sql
    .selectFrom('assignment_queue')
    .where('campaign_id', '=', campaignId)
    .where('left_at', 'is', null)
    .select(sql<number>`count(*)`.as('waiting'))
    .executeTakeFirstOrThrow();
  const { next_return_at } = await tx.sql
    .selectFrom('user_campaign_assignment')
    .where('campaign_id', '=', campaignId)
    .where('is_active', '=', true)
    .where('paused_until', '>', sql<string>`now()`)
    .select(sql<string | null>`min(paused_until)`.as('next_return_at'))
    .executeTakeFirstOrThrow();
  return { waiting, next_return_at };
}
