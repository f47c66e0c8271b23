import { administratorCodes } from '../../../domain/identity/system-roles.ts';
import { activeRoles } from '../role/active-role.queries.ts';

/** The active people who hold a role of administrators now, each perhaps more than once. */
export function administratorsQuery() {
  return activeRoles()
    .innerJoin('users as u', 'u.id', 'a.user_id')
    .where('u.status', '=', 'active')
    .where('r.code', 'in', administratorCodes)
    .clearSelect()
    .select('u.id');
}

/** Those of {@link administratorsQuery} who have a way to sign in: a password, or an account at an identity provider. */
export function reachableAdministratorsQuery() {
  return administratorsQuery()
    .where((eb) =>
      eb.or([
        eb('u.password_hash', 'is not', null),
        eb.exists(eb.selectFrom('user_identities as i').whereRef('i.user_id', '=', 'u.id').select('i.id')),
      ]),
    )
    .limit(1);
}
