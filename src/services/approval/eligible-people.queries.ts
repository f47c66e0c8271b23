import { sql } from 'kysely';
import type { ApprovalStep, EligiblePerson } from '../../domain/approval/approval-policy.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { effectiveRights, activeRoles } from '../identity/role/active-role.queries.ts';
import type { HeldRole } from '../identity/role/active-role.queries.ts';

/** A person with the rights held at this moment. */
export interface PersonRights extends EligiblePerson {
  readonly permissions: readonly Permission[];
}

/** What an active person holds; nobody who is not active comes out of these queries. */
function activePeople() {
  return activeRoles().innerJoin('users as u', 'u.id', 'a.user_id').where('u.status', '=', 'active');
}

/** The roles of named people, for {@link rightsOfRows}. */
export function rightsQuery(userIds: readonly string[]) {
  return activePeople().where('a.user_id', '=', sql<string>`any(${[...userIds]}::uuid[])`);
}

/** The roles of everybody whom a step of a policy could mean, for {@link rightsOfRows}. */
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

/** Joins the rows of one person after the other to their rights. */
export function rightsOfRows(rows: readonly (HeldRole & { readonly user_id: string })[]): PersonRights[] {
  const held = Map.groupBy(rows, ({ user_id }) => user_id);
  return [...held].map(([user_id, roles]) => ({ user_id, ...effectiveRights(roles) }));
}

/** Those who may decide at all: a role in a policy is worth nothing without the permission. */
export function deciders(people: readonly PersonRights[]): PersonRights[] {
  return people.filter(({ permissions }) => permissions.includes('approval:decide'));
}
