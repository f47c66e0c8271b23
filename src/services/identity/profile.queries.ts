import { sql } from 'kysely';
import { prepared } from '../../entities/prepared-statement.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';

/**
 * The signed-in person with the tenant.
 *
 * @throws Problem `resource.not-found` for a caller who is no person.
 */
export async function ownProfile(db: ReadSource, scope: ReadScope) {
  const [profile] = await read(
    db,
    scope,
    kysely
      .selectFrom('users as u')
      .innerJoin('tenants as t', 't.id', 'u.tenant_id')
      .where('u.id', '=', scope.user_id)
      .select(['u.id', 'u.tenant_id', 't.name as tenant_name', 'u.email', 'u.phone_number', 'u.full_name', 'u.role'])
      .select('u.pending_email')
      .select(['t.currency', 'u.last_sign_in_at', 'u.created_at'])
      .select((eb) => eb.fn.coalesce('u.time_zone', 't.time_zone').as('time_zone')),
  );
  if (profile === undefined) throw notFound('user');
  return profile;
}

/** A person's preferences; the product's own where there are none. */
export const preferencesStatement = prepared<{ user_id: string | null }>()((param) =>
  kysely
    .selectFrom('users as u')
    .leftJoin('user_preferences as p', 'p.user_id', 'u.id')
    .where('u.id', '=', param('user_id'))
    .select('u.time_zone')
    .select((eb) => [
      eb.fn.coalesce('p.language', sql.lit('en')).as('language'),
      eb.fn.coalesce('p.theme', sql.lit('system')).as('theme'),
      eb.fn.coalesce('p.week_start', sql.lit('monday')).as('week_start'),
      eb.fn.coalesce('p.email_notifications', sql.lit(true)).as('email_notifications'),
    ]),
);

/** The preferences of the signed-in person; undefined for a caller who is no person. */
export async function ownPreferences(db: ReadSource, scope: ReadScope) {
  const [preferences] = await read(db, scope, preferencesStatement({ user_id: scope.user_id }));
  return preferences;
}
