import { sql } from 'kysely';
import type { RevokeReason } from '../../entities/identity/session.entity.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** Ends sessions: one, or all of a person. Their access and refresh tokens are refused within a second. */
export async function revokeSessions(
  tx: Tx,
  which: { readonly session_id: string } | { readonly user_id: string },
  reason: RevokeReason,
): Promise<string[]> {
  const ended = await tx.sql
    .updateTable('sessions')
    .set({ revoked_at: sql<string>`now()`, revoke_reason: reason })
    .where('revoked_at', 'is', null)
    .$if('session_id' in which, (q) => q.where('id', '=', 'session_id' in which ? which.session_id : ''))
    .$if('user_id' in which, (q) => q.where('user_id', '=', 'user_id' in which ? which.user_id : ''))
    .returning('id')
    .execute();
  if ('user_id' in which) tx.invalidate({ kind: 'user', key: which.user_id });
  else tx.invalidate({ kind: 'session', key: which.session_id });
  return ended.map(({ id }) => id);
}
