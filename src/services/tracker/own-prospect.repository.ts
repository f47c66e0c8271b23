import { sql } from 'kysely';
import { invalidInput } from '../../platform/input-issues.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/**
 * Checks the prospect that something of a person refers to, and keeps it from being removed until the transaction ends. Another
 * person's prospect, one that was removed and one that was never there are told apart by nobody (S0-11).
 *
 * @param prospectId null or undefined where nothing is referred to.
 * @throws Problem `request.invalid` with the pointer.
 */
export async function assertOwnProspect(
  tx: Tx,
  userId: string,
  prospectId: number | null | undefined,
  pointer = '/prospect_id',
): Promise<void> {
  if (prospectId === null || prospectId === undefined) return;
  const prospect = await tx.sql
    .selectFrom('admin_prospects')
    .where('id', '=', prospectId)
    .where('user_id', '=', userId)
    .where('deleted_at', 'is', null)
    .select('id')
    .forShare()
    .executeTakeFirst();
  if (prospect === undefined) throw invalidInput([{ pointer, detail: 'is none of your prospects' }]);
}

/** Takes a prospect that was removed out of everything that refers to it; its own history keeps it. */
export function clearProspect(tx: Tx, prospectId: number): void {
  const cleared = { prospect_id: null, updated_at: sql<string>`now()` };
  for (const table of ['admin_activities', 'admin_meetings'] as const) {
    tx.defer(tx.sql.updateTable(table).set(cleared).where('prospect_id', '=', prospectId));
  }
}
