import { sql } from 'kysely';
import { hasPair } from '../../../domain/approval/independence.ts';
import { rightsOfRoles, roleMap } from '../../../domain/identity/role-hierarchy.ts';
import type { RoleMap } from '../../../domain/identity/role-hierarchy.ts';
import type { Permission } from '../../../domain/identity/permissions.ts';
import { administratorCodes, superAdminCode } from '../../../domain/identity/system-roles.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import { independenceOf } from '../account-act/account-act.queries.ts';
import { activeRoles, effectiveRights } from './active-role.queries.ts';
import { rolesQuery } from './role.queries.ts';

/** The permission that makes an account a decider: its holder's vote can count. */
const decides: Permission = 'approval:decide';

/** The roles held now that give the right to decide, one row for each role or ancestor that does. */
export function givingRightToDecide() {
  return givingPermission(decides);
}

/** The roles held now that give a permission. */
export function givingPermission(permission: Permission) {
  return activeRoles().where((eb) =>
    eb.or([eb('r.code', '=', superAdminCode), sql<boolean>`${permission} = any(coalesce(o.permissions, r.permissions))`]),
  );
}

/** True when some roles, their ancestors included, give the right to decide. */
export function rolesDecide(roles: RoleMap, roleIds: Iterable<string>): boolean {
  return rightsOfRoles(roles, roleIds).permissions.includes(decides);
}

/** {@link rolesDecide} of the roles as they are now. */
export async function giveRightToDecide(db: ReadSource, scope: ReadScope, roleIds: readonly string[]): Promise<boolean> {
  if (roleIds.length === 0) return false;
  return rolesDecide(roleMap(await read(db, scope, rolesQuery())), roleIds);
}

/** True for an account that holds the right to decide by any role, whatever its status. */
export async function isDecider(db: ReadSource, scope: ReadScope, userId: string): Promise<boolean> {
  const held = await read(db, scope, activeRoles().where('a.user_id', '=', userId));
  return effectiveRights(held).permissions.includes(decides);
}

/** The ids of all accounts that hold the right to decide, whatever their status. */
export async function allDeciders(db: ReadSource, scope: ReadScope): Promise<string[]> {
  const held = await read(db, scope, givingRightToDecide());
  return [...new Set(held.map(({ user_id }) => user_id))];
}

/** The ids of all active people whose vote can count. */
export async function activeDeciders(db: ReadSource, scope: ReadScope): Promise<string[]> {
  const held = await read(
    db,
    scope,
    givingRightToDecide().innerJoin('users as u', 'u.id', 'a.user_id').where('u.status', '=', 'active'),
  );
  return [...new Set(held.map(({ user_id }) => user_id))];
}

/** The active administrators whose vote can count. */
async function decidingAdministrators(db: ReadSource, scope: ReadScope): Promise<string[]> {
  const held = await read(
    db,
    scope,
    activeRoles()
      .innerJoin('users as u', 'u.id', 'a.user_id')
      .where('u.status', '=', 'active')
      .where('a.user_id', 'in', givingRightToDecide().clearSelect().select('a.user_id')),
  );
  const byPerson = Map.groupBy(held, ({ user_id }) => user_id);
  return [...byPerson].flatMap(([userId, roles]) => {
    const rights = effectiveRights(roles);
    const isAdministrator = administratorCodes.some((code) => rights.roles.includes(code));
    return isAdministrator && rights.permissions.includes(decides) ? [userId] : [];
  });
}

/**
 * True when the tenant has a pair: two administrators who are apart. Before there is one, one person rules alone, and what
 * touches the right to decide takes a second factor only.
 */
export async function tenantHasPair(db: ReadSource, scope: ReadScope): Promise<boolean> {
  const administrators = await decidingAdministrators(db, scope);
  if (administrators.length < 2) return false;
  return hasPair(administrators, await independenceOf(db, scope, administrators));
}
