import { rightsOfRoles, roleMap } from '../../../domain/identity/role-hierarchy.ts';
import type { RoleMap } from '../../../domain/identity/role-hierarchy.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import { roleVersion, rolesQuery } from './role.queries.ts';

/** A role as approvers read it, with what it gives. */
export interface RoleRights {
  readonly name: string;
  readonly code: string;
  readonly parent_role_id: string | null;
  /** Its own. */
  readonly permissions: readonly string[];
  readonly roles: RoleMap;
}

/** A role of the tenant, or undefined. */
export async function roleRights(db: ReadSource, scope: ReadScope, roleId: string): Promise<RoleRights | undefined> {
  const rows = await read(db, scope, rolesQuery());
  const role = rows.find(({ id }) => id === roleId);
  return role === undefined ? undefined : { ...role, roles: roleMap(rows) };
}

/**
 * What a role gives, or would give with other values of its own.
 *
 * @param change what would be replaced.
 */
export function rightsWith(
  role: RoleRights,
  change: { readonly permissions?: readonly string[] | undefined; readonly parent_role_id?: string | null | undefined } = {},
): readonly string[] {
  const permissions = change.permissions ?? role.permissions;
  const parent = change.parent_role_id === undefined ? role.parent_role_id : change.parent_role_id;
  return parent === null ? permissions : [...permissions, ...rightsOfRoles(role.roles, [parent]).permissions];
}

/** The version of a role, as {@link rolesQuery} counts it. */
export function roleVersionQuery(roleId: string) {
  return rolesQuery().where('r.id', '=', roleId).clearSelect().select(roleVersion);
}
