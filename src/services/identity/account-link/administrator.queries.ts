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

/**
 * One of {@link administratorsQuery} who has a way to sign in: a password, or an account at an identity provider.
 *
 * @param linksByAddress whether a provider of the tenant lets in whoever has the address of an account
 */
export function reachableAdministratorsQuery(linksByAddress: boolean) {
  return administratorsQuery()
    .where((eb) =>
      eb.or([
        eb('u.password_hash', 'is not', null),
        eb.exists(eb.selectFrom('user_identities as i').whereRef('i.user_id', '=', 'u.id').select('i.id')),
        ...(linksByAddress ? [eb('u.email', 'is not', null)] : []),
      ]),
    )
    .limit(1);
}
