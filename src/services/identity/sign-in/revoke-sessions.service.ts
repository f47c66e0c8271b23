import { sql } from 'kysely';
import type { RevokeReason } from '../../../entities/identity/session.entity.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';

/**
 * Ends sessions: one, or all of a person. Their access and refresh tokens are refused within a second.
 *
 * @returns the ids of the sessions that this call ended.
 */
export async function revokeSessions(
  tx: Tx,
  which: { readonly session_id: string } | { readonly user_id: string },
  reason: RevokeReason,
): Promise<string[]> {
  const ended = await tx.sql
    .updateTable('sessions')
    .set({ revoked_at: sql<string>`now()`, revoke_reason: reason })
    .where('revoked_at', 'is', null)
    .where((eb) => eb.and('user_id' in which ? { user_id: which.user_id } : { id: which.session_id }))
    .returning('id')
    .execute();
  if ('user_id' in which) tx.invalidate({ kind: 'user', key: which.user_id });
  else tx.invalidate({ kind: 'session', key: which.session_id });
  return ended.map(({ id }) => id);
}

/** Ends all sessions of a person but one; null keeps none. */
export async function revokeOtherSessions(
  tx: Tx,
  userId: string,
  keptSessionId: string | null,
  reason: RevokeReason,
): Promise<void> {
  const others = await tx.sql
    .selectFrom('sessions')
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .where((eb) => eb.and(keptSessionId === null ? [] : [eb('id', '<>', keptSessionId)]))
    .select('id')
    .execute();
  for (const { id } of others) await revokeSessions(tx, { session_id: id }, reason);
}
