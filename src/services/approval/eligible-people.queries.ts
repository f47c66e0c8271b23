import { sql } from 'kysely';
import type { ApprovalStep, EligiblePerson } from '../../domain/approval/approval-policy.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { givingPermission, givingRightToDecide } from '../identity/role/decider.queries.ts';
import { effectiveRights, activeRoles } from '../identity/role/active-role.queries.ts';
import type { HeldRole } from '../identity/role/active-role.queries.ts';

/** A person with their present rights. */
export interface PersonRights extends EligiblePerson {
  readonly permissions: readonly Permission[];
}

/** The roles of active people. */
function activePeople() {
  return activeRoles().innerJoin('users as u', 'u.id', 'a.user_id').where('u.status', '=', 'active');
}

/** The roles of some people as far as they are active, for {@link rightsOfRows}. */
export function rightsQuery(userIds: readonly string[]) {
  return activePeople().where('a.user_id', '=', sql<string>`any(${[...userIds]}::uuid[])`);
}

/** All roles of the active people who hold the right to decide by one of them, for {@link deciders}, with from when they do. */
export function decidersQuery() {
  return activePeople().select('u.decisions_count_from').where('a.user_id', 'in', givingRightToDecide().clearSelect().select('a.user_id'));
}

/** The ids of the active people who may ask for a change that needs a permission; null for one that needs none. */
export function requestersQuery(permission: Permission | null) {
  return (permission === null ? activeRoles() : givingPermission(permission))
    .innerJoin('users as u', 'u.id', 'a.user_id')
    .where('u.status', '=', 'active')
    .clearSelect()
    .select('a.user_id');
}

/** The roles of the active people whom the steps of a policy name, for {@link rightsOfRows}. */
export function candidatesQuery(steps: readonly ApprovalStep[]) {
  const roles = steps.flatMap((step) => step.roles);
  const users = steps.flatMap((step) => step.users);
  return activePeople().where((eb) =>
    eb.or([
      ...(users.length === 0 ? [] : [eb('a.user_id', 'in', users)]),
      ...(roles.length === 0
        ? []
        : [eb('a.user_id', 'in', activeRoles().clearSelect().where('r.code', 'in', roles).select('a.user_id'))]),
    ]),
  );
}

/** The ids of the people of {@link candidatesQuery}. */
export function candidateIdsQuery(steps: readonly ApprovalStep[]) {
  return candidatesQuery(steps).clearSelect().select('a.user_id');
}

/** The rights of each person, out of one row for each of their roles. */
export function rightsOfRows(rows: readonly (HeldRole & { readonly user_id: string })[]): PersonRights[] {
  const held = Map.groupBy(rows, ({ user_id }) => user_id);
  return [...held].map(([user_id, roles]) => ({ user_id, ...effectiveRights(roles) }));
}

/** Those with the permission to decide, without which a policy names them in vain. */
export function deciders(people: readonly PersonRights[]): PersonRights[] {
  return people.filter(({ permissions }) => permissions.includes('approval:decide'));
}
