import { sql } from 'kysely';
import type { NudgeDraft } from '../../domain/tracker/tracker-nudge-rules.ts';
import type { Day } from '../../domain/tracker/tracker-calendar.ts';
import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** A nudge that was admitted, with the words it is given. */
export interface WordedNudge {
  readonly draft: NudgeDraft;
  readonly message: string;
  readonly worded_by: 'rule' | 'model';
  /** RFC 3339. */
  readonly expires_at: string;
}

/**
 * Puts nudges before a person. The one writer of nudges and their marks: a key that was announced before, by a round that
 * ran at the same time or to a nudge that was deleted since, is left out (S0-95), and the cap is counted under a lock.
 *
 * @param dailyCap what the person allows a day.
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
    await settle(tx, userId, day, draft.also_settles);
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

async function settle(tx: Tx, userId: string, day: Day, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await tx.sql
    .insertInto('admin_nudge_marks')
    .values(keys.map((dedupe_key) => ({ tenant_id: tx.actor.tenant_id, user_id: userId, day, dedupe_key, delivered: false })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** What a person does with a nudge: reads it, or puts it off until a time (null: shows it again). */
export type NudgeChange = { readonly read: true } | { readonly snoozed_until: string | null };

/** @throws Problem `resource.not-found` when the person has no such nudge. */
export async function changeNudge(tx: Tx, userId: string, id: number, change: NudgeChange): Promise<void> {
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

/** Removes a nudge; its mark stays, so that it does not come back. @throws Problem `resource.not-found`. */
export async function removeNudge(tx: Tx, userId: string, id: number): Promise<void> {
  const row = await tx.sql
    .deleteFrom('admin_nudges')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .returning(['rule', 'dedupe_key'])
    .executeTakeFirst();
  if (row === undefined) throw notFound('nudge');
  tx.audit({ event: 'nudge.delete', action: 'delete', resource_type: 'nudge', resource_id: String(id), old_values: row });
}

/** Days after which an expired nudge is no longer kept, and a mark cannot come up again. */
const keepExpiredDays = 7;
const keepMarksDays = 400;

/** Throws away what nobody can see any more (S0-95). @returns how many nudges went. */
export async function purgeNudges(tx: Tx): Promise<number> {
  const gone = await tx.sql
    .deleteFrom('admin_nudges')
    .where('expires_at', '<', sql<string>`now() - make_interval(days => ${keepExpiredDays})`)
    .executeTakeFirst();
  await tx.sql
    .deleteFrom('admin_nudge_marks')
    .where('day', '<', sql<string>`current_date - ${keepMarksDays}::integer`)
    .execute();
  return Number(gone.numDeletedRows);
}
