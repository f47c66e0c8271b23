import { sql } from 'kysely';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/**
 * Has the changes of a person's activities and goals wait for each other: a score that is computed while another activity is
 * uncommitted would miss it, and so would the check of a week against the goals that there are.
 */
export async function lockTracker(tx: Tx, userId: string): Promise<void> {
  await sql`select ${trackerLock(userId)}`.execute(tx.sql);
}

/** {@link lockTracker} as part of another statement. */
export function trackerLock(userId: string) {
  return sql`pg_advisory_xact_lock(hashtextextended('tracker/' || ${userId}, 0))`;
}
