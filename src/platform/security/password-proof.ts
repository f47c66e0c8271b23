import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Tx } from '../database/unit-of-work.ts';
import { Problem } from '../problem.ts';
import { mfaProofTtlSeconds } from './mfa-token.ts';
import type { MfaBinding } from './mfa-token.ts';

/** What a proof by password is bound to: this person, for this action with exactly this payload, outside of any session. */
export type PasswordBinding = Omit<MfaBinding, 'session_id'>;

/**
 * Writes down that somebody has just given the right password for an action, in place of a second factor that is lost. The
 * caller has verified it; the database takes such a proof for the one action that is asked for so.
 *
 * @returns the id of the proof, for {@link consumePasswordProof}.
 */
export async function recordPasswordProof(tx: Tx, { user_id, action, payload_digest }: PasswordBinding): Promise<string> {
  const id = randomUUID();
  const expiry = sql<string>`clock_timestamp() + make_interval(secs => ${mfaProofTtlSeconds})`;
  await tx.sql
    .insertInto('mfa_challenges')
    .values({
      id,
      tenant_id: tx.actor.tenant_id,
      user_id,
      session_id: null,
      action,
      payload_digest,
      method: 'password',
      expires_at: expiry,
      verified_at: sql<string>`clock_timestamp()`,
      proof_expires_at: expiry,
    })
    .execute();
  tx.audit({
    event: 'mfa.password-proof',
    action: 'create',
    resource_type: 'mfa_challenge',
    resource_id: id,
    new_values: { action, payload_digest, proved_by: 'password' },
  });
  return id;
}

/**
 * Consumes a proof by password in the transaction of what was asked for with it, as `consumeMfaProof` does with that of a factor:
 * of any number of concurrent uses one succeeds.
 *
 * @throws Problem 403 `auth.password-refused` when the proof is used, too old, or was made for somebody or something else.
 */
export async function consumePasswordProof(
  tx: Tx,
  proofId: string,
  { user_id, action, payload_digest }: PasswordBinding,
): Promise<void> {
  const now = sql<string>`clock_timestamp()`;
  const consumed = await tx.sql
    .updateTable('mfa_challenges')
    .set({ consumed_at: now })
    .where('id', '=', proofId)
    .where('method', '=', 'password')
    .where('user_id', '=', user_id)
    .where('action', '=', action)
    .where('payload_digest', '=', payload_digest)
    .where('consumed_at', 'is', null)
    .where('proof_expires_at', '>', now)
    .returning('id')
    .executeTakeFirst();
  if (consumed !== undefined) return;
  throw new Problem({ code: 'auth.password-refused', detail: 'This was asked for too long ago. Send the password again.' });
}
