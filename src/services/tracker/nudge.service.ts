import { sql } from 'kysely';
import type { NudgeDraft } from '../../domain/tracker/tracker-nudge-rules.ts';
import type { Day } from '../../domain/tracker/tracker-calendar.ts';
import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** A nudge that was admitted, with its final text. */
export interface WordedNudge {
  readonly draft: NudgeDraft;
  readonly message: string;
  readonly worded_by: 'rule' | 'model';
  /** RFC 3339. */
  readonly expires_at: string;
}

/**
 * Delivers nudges to a person. A key that was delivered before is left out, also when a concurrent round delivered it or
 * its nudge was deleted (S0-95). The daily cap is counted under a lock.
 *
 * @param dailyCap nudges that the person allows in a day.
 * @returns ids of the nudges that are new.
 */
export async function deliverNudges(
  tx: Tx,
  userId: string,
  day: Day,
  dailyCap: number,
  nudges: readonly WordedNudge[],
): Promise<number[]> {
  const { tenant_id } = tx.actor;
  await sql`select pg_advisory_xact_lock(hashtextextended('nudge/' || ${userId}, 0))`.execute(tx.sql);
  const { delivered } = await tx.sql
    .selectFrom('admin_nudge_marks')
    .where('user_id', '=', userId)
    .where('day', '=', day)
    .where('delivered', '=', true)
    .select(sql<number>`count(*)`.as('delivered'))
    .executeTakeFirstOrThrow();
  const ids: number[] = [];
  for (const { draft, message, worded_by, expires_at } of nudges) {
    if (delivered + ids.length >= dailyCap) break;
    const mark = await tx.sql
      .insertInto('admin_nudge_marks')
      .values({ tenant_id, user_id: userId, day, dedupe_key: draft.dedupe_key, delivered: true })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .executeTakeFirst();
    if (mark === undefined) continue;
    const { type, priority, action_url, rule, dedupe_key } = draft;
    const { id } = await tx.sql
      .insertInto('admin_nudges')
      .values({ tenant_id, user_id: userId, type, priority, action_url, rule, dedupe_key, message, worded_by, day, expires_at })
      .returning('id')
      .executeTakeFirstOrThrow();
    await markSettled(tx, userId, day, draft.also_settles);
    tx.audit({
      event: 'nudge.create',
      action: 'create',
      resource_type: 'nudge',
      resource_id: String(id),
      new_values: { rule, dedupe_key, priority, worded_by },
    });
    ids.push(id);
  }
  return ids;
}

async function markSettled(tx: Tx, userId: string, day: Day, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await tx.sql
    .insertInto('admin_nudge_marks')
    .values(keys.map((dedupe_key) => ({ tenant_id: tx.actor.tenant_id, user_id: userId, day, dedupe_key, delivered: false })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** What a person does with a nudge: reads it, or snoozes it until a time, RFC 3339 (null: ends the snooze). */
type NudgeChange = { readonly read: true } | { readonly snoozed_until: string | null };

/** Marks a nudge as read or snoozes it. @throws Problem `resource.not-found` when the person has no such nudge. */
export async function updateNudge(tx: Tx, userId: string, id: number, change: NudgeChange): Promise<void> {
  const row = await tx.sql
    .updateTable('admin_nudges')
    .set(change)
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) throw notFound('nudge');
  tx.audit({ event: 'nudge.update', action: 'update', resource_type: 'nudge', resource_id: String(id), new_values: change });
}

/** Deletes a nudge. Its mark stays, so that it is not delivered again. @throws Problem `resource.not-found`. */
export async function deleteNudge(tx: Tx, userId: string, id: number): Promise<void> {
  const row = await tx.sql
    .deleteFrom('admin_nudges')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .returning(['rule', 'dedupe_key'])
    .executeTakeFirst();
  if (row === undefined) throw notFound('nudge');
  tx.audit({ event: 'nudge.delete', action: 'delete', resource_type: 'nudge', resource_id: String(id), old_values: row });
}

/** Days after which an expired nudge is deleted, and after which no rule can draft the key of a mark again. */
const expiredRetentionDays = 7;
const markRetentionDays = 400;

/** Deletes nudges and marks that are past their retention (S0-95). @returns the number of nudges deleted. */
export async function purgeNudges(tx: Tx): Promise<number> {
  const purged = await tx.sql
    .deleteFrom('admin_nudges')
    .where('expires_at', '<', sql<string>`now() - make_interval(days => ${expiredRetentionDays})`)
    .executeTakeFirst();
  await tx.sql
    .deleteFrom('admin_nudge_marks')
    .where('day', '<', sql<string>`current_date - ${markRetentionDays}::integer`)
    .execute();
  return Number(purged.numDeletedRows);
}
