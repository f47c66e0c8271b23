import { sql } from 'kysely';
import { allPermissions } from '../../../domain/identity/permissions.ts';
import { lineOfRole, rightsOfRoles, roleMap } from '../../../domain/identity/role-hierarchy.ts';
import { superAdminCode } from '../../../domain/identity/system-roles.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../../platform/database/read.ts';

/** Counts every change of a role `r` and of its matrix `o`. */
export const roleVersion = sql<number>`r.version + coalesce(o.version, 0)`.as('version');

/**
 * Every role of the tenant with the permissions it has here: a system role by the tenant's own matrix where there is
 * one. `version` counts every change of the role and of its matrix.
 */
export function rolesQuery() {
  return kysely
    .selectFrom('admin_roles as r')
    .leftJoin('admin_role_permissions as o', 'o.role_id', 'r.id')
    .where('r.deleted_at', 'is', null)
    .select(['r.id', 'r.code', 'r.name', 'r.description', 'r.is_system_role', 'r.parent_role_id', 'r.coarse_role'])
    .select(['r.created_at'])
    .select((eb) => [
      eb.fn.coalesce('o.permissions', 'r.permissions').as('permissions'),
      roleVersion,
      sql<string>`greatest(r.updated_at, o.updated_at)`.as('updated_at'),
    ]);
}

/**
 * The roles of the tenant with their ancestors and what they give with those, system roles first. All of them, because
 * the hierarchy needs all.
 */
export async function rolesWithRights(db: ReadSource, scope: ReadScope) {
  const rows = await read(db, scope, rolesQuery().orderBy('r.is_system_role', 'desc').orderBy('r.name'));
  const roles = roleMap(rows);
  return rows.map((row) => {
    const effective = rightsOfRoles(roles, [row.id]).permissions;
    return {
      ...row,
      permissions:
        row.code === superAdminCode ? effective : allPermissions.filter((one) => row.permissions.includes(one)),
      ancestors: lineOfRole(roles, row.id).slice(1).map(({ code }) => code),
      effective_permissions: effective,
    };
  });
}

/** The roles of the tenant by name, system roles first, without what they give. */
export function roleNames(db: ReadSource, scope: ReadScope) {
  return read(
    db,
    scope,
    kysely
      .selectFrom('admin_roles')
      .where('deleted_at', 'is', null)
      .orderBy('is_system_role', 'desc')
      .orderBy('name')
      .select(['id', 'code', 'name', 'description', 'is_system_role']),
  );
}
