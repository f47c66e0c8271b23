import { sql } from 'kysely';
import { roleMap } from '../../domain/identity/role-hierarchy.ts';
import type { RoleMap, RoleNode } from '../../domain/identity/role-hierarchy.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/**
 * Every role of the tenant with the permissions it has here: a system role by the tenant's own matrix where there is
 * one. `version` counts every change of the role and of its matrix.
 */
export function rolesQuery() {
  return query
    .selectFrom('admin_roles as r')
    .leftJoin('admin_role_permissions as o', 'o.role_id', 'r.id')
    .where('r.deleted_at', 'is', null)
    .select(['r.id', 'r.code', 'r.name', 'r.description', 'r.is_system_role', 'r.parent_role_id', 'r.coarse_role'])
    .select(['r.created_at'])
    .select((eb) => [
      eb.fn.coalesce('o.permissions', 'r.permissions').as('permissions'),
      sql<number>`r.version + coalesce(o.version, 0)`.as('version'),
      sql<string>`greatest(r.updated_at, o.updated_at)`.as('updated_at'),
    ]);
}

/** The roles of the tenant by id, for rules over the hierarchy. */
export async function loadRoles(tx: Tx): Promise<RoleMap> {
  const { rows } = await tx.sql.executeQuery(rolesQuery().compile());
  return roleMap(rows);
}

/** A role as it stands now. Call behind `lockRights`, which keeps it so. */
export async function loadRole(tx: Tx, id: string) {
  const { rows } = await tx.sql.executeQuery(rolesQuery().where('r.id', '=', id).compile());
  const [role] = rows;
  if (role === undefined) throw notFound('role');
  return role;
}

/** Who changed a role, and on which approved request. */
export interface RoleChangeNote {
  readonly approval_id: string | null;
}

/** Writes down what the role gives from now on, and tells the caches of the tenant. */
export async function appendRoleHistory(
  tx: Tx,
  role: Pick<RoleNode, 'id' | 'permissions' | 'parent_role_id'>,
  { approval_id }: RoleChangeNote,
): Promise<void> {
  const { tenant_id, user_id } = tx.actor;
  await tx.sql
    .insertInto('admin_role_history')
    .values({
      tenant_id,
      role_id: role.id,
      permissions: [...role.permissions],
      parent_role_id: role.parent_role_id,
      changed_by: user_id,
      approval_id,
      created_at: sql<string>`now()`,
    })
    .execute();
  tx.invalidate({ kind: 'tenant-roles', key: tenant_id });
}
