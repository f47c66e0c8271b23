import { sql } from 'kysely';
import { allPermissions, isPermission } from '../../../domain/identity/permissions.ts';
import type { Permission } from '../../../domain/identity/permissions.ts';
import { superAdminCode } from '../../../domain/identity/system-roles.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../../platform/database/read.ts';
import { unknownReference } from '../../../platform/input-issues.ts';

/** A role that a person holds now, with the permissions it gives in this tenant. */
export interface HeldRole {
  readonly code: string;
  readonly permissions: readonly string[];
  readonly valid_until: string | null;
}

/** When an assignment `a` ends by itself: at its end, or when its review falls due without having been done. */
export const assignmentEnd = sql<string | null>`least(a.valid_until, a.review_due_at)`;

/** True for an assignment `a` that has not ended by itself. */
export const notLapsed = sql<boolean>`(${assignmentEnd} is null or ${assignmentEnd} > now())`;

/**
 * The roles held now, with inherited ones: a role has the permissions of its ancestors too (S2-71). A tenant's own matrix
 * takes precedence over the role's default.
 */
export function activeRoles() {
  return kysely
    .selectFrom('admin_role_assignments as a')
    .innerJoin(
      sql<{ role_id: string; ancestor_id: string }>`(
        with recursive line (role_id, ancestor_id) as (
          select id, id from admin_roles
          union
          select line.role_id, r.parent_role_id from line join admin_roles r on r.id = line.ancestor_id
          where r.parent_role_id is not null
        ) select role_id, ancestor_id from line
      )`.as<'line'>('line'),
      'line.role_id',
      'a.role_id',
    )
    .innerJoin('admin_roles as r', 'r.id', 'line.ancestor_id')
    .leftJoin('admin_role_permissions as o', 'o.role_id', 'r.id')
    .where('a.revoked_at', 'is', null)
    .where(notLapsed)
    .select(['r.code', 'a.user_id'])
    .select(assignmentEnd.as('valid_until'))
    .select((eb) => eb.fn.coalesce('o.permissions', 'r.permissions').as('permissions'));
}

/** Role codes and the union of permissions; the super admin holds every permission, whatever a matrix says. */
export function effectiveRights(held: readonly HeldRole[]): { roles: string[]; permissions: Permission[] } {
  const roles = [...new Set(held.map(({ code }) => code))].sort();
  if (roles.includes(superAdminCode)) return { roles, permissions: allPermissions };
  const granted = new Set(held.flatMap(({ permissions }) => permissions).filter(isPermission));
  return { roles, permissions: allPermissions.filter((permission) => granted.has(permission)) };
}

/**
 * What a person may do now by their roles; null for somebody who is not active, and so may do nothing.
 *
 * @throws Problem `request.invalid` for a person the tenant does not have.
 */
export async function readRights(db: ReadSource, scope: ReadScope, userId: string) {
  const [user] = await read(db, scope, kysely.selectFrom('users').where('id', '=', userId).select('status'));
  if (user === undefined) throw unknownReference('/user_id', 'user');
  if (user.status !== 'active') return null;
  return effectiveRights(await read(db, scope, activeRoles().where('a.user_id', '=', userId)));
}
