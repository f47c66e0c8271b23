import { sql } from 'kysely';
import { kysely } from '../../../entities/kysely-schema.ts';
import { newestFirst } from '../../../platform/database/keyset-page.ts';
import type { Page } from '../../../platform/database/keyset-page.ts';
import { readAll } from '../../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../../platform/database/read.ts';
import { notFound } from '../../../platform/problem.ts';

/** A page of a person's sessions, and which of them to take in. */
interface SessionListing extends Page {
  readonly state: 'living' | 'all';
}

/**
 * Sessions of a person, newest first, and one more to tell whether another page follows.
 *
 * @throws Problem `resource.not-found` for a person the tenant does not have.
 */
export async function userSessions(db: ReadSource, scope: ReadScope, userId: string, listing: SessionListing) {
  const isActive = sql<boolean>`(revoked_at is null and expires_at > now())`;
  const [known, sessions] = await readAll(db, scope, [
    kysely.selectFrom('users').where('id', '=', userId).select('id'),
    kysely
      .selectFrom('sessions')
      .where('user_id', '=', userId)
      .$if(listing.state === 'living', (q) => q.where(isActive))
      .$call(newestFirst(listing))
      .select(['id', 'user_id', 'method', 'ip', 'user_agent', 'created_at', 'last_used_at', 'expires_at', 'mfa_at'])
      .select(['revoked_at', 'revoke_reason', isActive.as('is_living')]),
  ] as const);
  if (known.length === 0) throw notFound('user');
  return sessions;
}
