import { sql } from 'kysely';
import { roleMap } from '../../../domain/identity/role-hierarchy.ts';
import type { RoleMap, RoleNode } from '../../../domain/identity/role-hierarchy.ts';
import { notFound } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { rolesQuery } from './role.queries.ts';

/** The roles of the tenant by id, for rules over the hierarchy. */
export async function loadRoles(tx: Tx): Promise<RoleMap> {
  const { rows } = await tx.sql.executeQuery(rolesQuery().compile());
  return roleMap(rows);
}

/** A role with its version. Call it under `lockRights`, so that it stays true. @throws Problem `resource.not-found`. */
export async function loadRole(tx: Tx, id: string) {
  const { rows } = await tx.sql.executeQuery(rolesQuery().where('r.id', '=', id).compile());
  const [role] = rows;
  if (role === undefined) throw notFound('role');
  return role;
}

/** On which approved request a role was changed; null for none. */
interface RoleChangeNote {
  readonly approval_id: string | null;
}

/** Records what the role gives from now on, and invalidates the rights cached for the tenant. */
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
