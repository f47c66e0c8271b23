import type { Tx } from '../../platform/database/unit-of-work.ts';

/** An account at an identity provider. */
export interface ExternalAccount {
  readonly issuer: string;
  readonly subject: string;
}

/** How an external account came to sign a person in. */
type LinkedBy = 'administrator' | 'verified_email';

/** The active person whom an external account signs in; null for nobody. */
export async function findLinkedUser(tx: Tx, { issuer, subject }: ExternalAccount): Promise<string | null> {
  const linked = await tx.sql
    .selectFrom('user_identities as i')
    .innerJoin('users as u', 'u.id', 'i.user_id')
    .where('i.issuer', '=', issuer)
    .where('i.subject', '=', subject)
    .where('u.status', '=', 'active')
    .select('i.user_id')
    .executeTakeFirst();
  return linked?.user_id ?? null;
}

/**
 * Lets an external account sign a person in from now on.
 *
 * @throws the database's unique violation when it signs in somebody already (409).
 */
export async function insertIdentity(tx: Tx, user_id: string, { issuer, subject }: ExternalAccount, linked_by: LinkedBy) {
  const row = await tx.sql
    .insertInto('user_identities')
    .values({ tenant_id: tx.actor.tenant_id, user_id, issuer, subject })
    .returning(['id', 'issuer', 'subject', 'created_at'])
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'user.link-identity',
    action: 'update',
    resource_type: 'user',
    resource_id: user_id,
    new_values: { issuer, subject, linked_by },
  });
  return row;
}
