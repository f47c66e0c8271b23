import { sql } from 'kysely';
import type { AccountActKind } from '../../../domain/approval/independence.ts';
import { timestampText } from '../../../domain/shared/timestamp-text.ts';
import { AccountActEntity } from '../../../entities/identity/account-act.entity.ts';
import type { ActCloseReason } from '../../../entities/identity/account-act.entity.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { isOpenAct } from './account-act.queries.ts';

/** The approved request that a change was made on. */
export interface ActAuthority {
  readonly approval_id: string;
  /** After how many days the act is settled, by the policy that the request was opened under. */
  readonly independence_days: number;
}

interface NewAct {
  readonly target_id: string;
  readonly kind: AccountActKind;
  /** For people who confirm it: role codes, masked addresses. */
  readonly detail: string | null;
}

const dayMs = 86_400_000;

/**
 * Keeps that the actor has done something to another person's account, in the transaction of the change (R1, R2). What
 * somebody does to their own account is no act, nor what no person does. What somebody does alone whose decisions do not count
 * yet lets nobody decide earlier (R12): the decisions of the account count with theirs.
 *
 * @param authority null for what the actor did alone: it never ages out (R3).
 */
export function recordAct(tx: Tx, act: NewAct, authority: ActAuthority | null): void {
  const { user_id } = tx.actor;
  if (user_id === null || user_id === act.target_id) return;
  tx.em.create(AccountActEntity, {
    ...act,
    actor_id: user_id,
    approval_id: authority?.approval_id ?? null,
    closes_at: authority === null ? null : timestampText(Date.now() + authority.independence_days * dayMs),
    closed_at: null,
    closed_by: null,
    close_reason: null,
  });
  if (authority !== null) return;
  const waiting = tx.sql
    .updateTable('users')
    .from('users as by')
    .set((eb) => ({ decisions_count_from: eb.ref('by.decisions_count_from') }))
    .where('users.id', '=', act.target_id)
    .where('by.id', '=', user_id)
    .where('by.decisions_count_from', '>', sql<string>`greatest(clock_timestamp(), users.decisions_count_from)`);
  tx.defer(waiting);
}

/** Closes the open acts on an account. @returns their ids. */
export async function closeActs(tx: Tx, targetId: string, reason: ActCloseReason): Promise<string[]> {
  await tx.flush();
  const closed = await tx.sql
    .updateTable('account_acts as a')
    .set({ closed_at: sql<string>`clock_timestamp()`, closed_by: tx.actor.user_id, close_reason: reason })
    .where('a.target_id', '=', targetId)
    .where(isOpenAct)
    .returning('a.id')
    .execute();
  return closed.map(({ id }) => id);
}
