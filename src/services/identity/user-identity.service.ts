import type { OidcPerson } from '../../platform/security/oidc-client.ts';
import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { recordAct } from './account-act/account-act.repository.ts';
import type { ActAuthority } from './account-act/account-act.repository.ts';
import { assertNotSelf, assertNotStronger, lockRights } from './role/effective-rights.service.ts';
import { revokeSessions } from './sign-in/revoke-sessions.service.ts';
import { assertUserExists } from './user.repository.ts';
import { insertIdentity } from './user-identity.repository.ts';
import type { ExternalAccount } from './user-identity.repository.ts';

/**
 * Lets an external account sign a person in, on behalf of an administrator, who stands behind the account from now on (R1).
 *
 * @param authority the approved request that it is linked on, if any.
 * @throws Problem 404 for a person who is not there or was deleted, `user.exceeds-own`; a unique violation (409) when the
 *   account signs in somebody already.
 */
export async function linkIdentity(tx: Tx, userId: string, account: ExternalAccount, authority: ActAuthority | null = null) {
  await lockRights(tx);
  await assertUserExists(tx, userId);
  await assertNotStronger(tx, userId);
  const linked = await insertIdentity(tx, userId, account, 'administrator');
  recordAct(tx, { target_id: userId, kind: 'identity', detail: account.issuer.slice(0, 300) }, authority);
  // Whoever is signed in signs in again, so that nobody stays in by a way that somebody else has made.
  if (tx.actor.user_id !== userId) await revokeSessions(tx, { user_id: userId }, 'forced');
  return linked;
}

/**
 * Stops an external account from signing a person in, and ends all sessions of the person.
 *
 * @throws Problem 404, `role.own-rights` for the own account, `user.exceeds-own`.
 */
export async function unlinkIdentity(tx: Tx, userId: string, identityId: string): Promise<void> {
  assertNotSelf(tx, userId);
  await lockRights(tx);
  await assertNotStronger(tx, userId);
  const removed = await tx.sql
    .deleteFrom('user_identities')
    .where('id', '=', identityId)
    .where('user_id', '=', userId)
    .returning(['issuer', 'subject'])
    .executeTakeFirst();
  if (removed === undefined) throw notFound('identity');
  const ended = await revokeSessions(tx, { user_id: userId }, 'forced');
  tx.audit({
    event: 'user.unlink-identity',
    action: 'update',
    resource_type: 'user',
    resource_id: userId,
    old_values: removed,
    new_values: { sessions_ended: ended.length },
  });
}

/**
 * Links a first sign-in to the active person with the same address, if the provider has verified it, and neither the
 * subject nor the person is linked at this issuer already: whoever gets a used address later does not get the account.
 *
 * @returns the person, or null.
 */
export async function linkByEmail(tx: Tx, { issuer, subject, verified_email }: OidcPerson): Promise<string | null> {
  if (verified_email === null) return null;
  const user = await tx.sql
    .selectFrom('users as u')
    .where('u.email', '=', verified_email)
    .where('u.status', '=', 'active')
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('user_identities as i')
            .where('i.issuer', '=', issuer)
            .where((or) => or.or([or('i.user_id', '=', or.ref('u.id')), or('i.subject', '=', subject)]))
            .select('i.id'),
        ),
      ),
    )
    .select('u.id')
    .executeTakeFirst();
  if (user === undefined) return null;
  await insertIdentity(tx, user.id, { issuer, subject }, 'verified_email');
  return user.id;
}
