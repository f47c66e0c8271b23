import { kysely } from '../../entities/kysely-schema.ts';
import { readAll } from '../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';

/**
 * The external accounts that sign a person in, oldest first.
 *
 * @throws Problem `resource.not-found` for a person the tenant does not have.
 */
export async function userIdentities(db: ReadSource, scope: ReadScope, userId: string) {
  const [known, identities] = await readAll(db, scope, [
    kysely.selectFrom('users').where('id', '=', userId).select('id'),
    kysely
      .selectFrom('user_identities')
      .where('user_id', '=', userId)
      .orderBy('created_at')
      .select(['id', 'issuer', 'subject', 'created_at']),
  ] as const);
  if (known.length === 0) throw notFound('user');
  return identities;
}
