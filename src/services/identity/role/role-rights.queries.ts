import { sql } from 'kysely';
import type { JsonObject } from '../../../domain/shared/canonical.ts';
import { heirsOfRole, rightsOfRoles, roleMap } from '../../../domain/identity/role-hierarchy.ts';
import type { RoleMap } from '../../../domain/identity/role-hierarchy.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import { rolesDecide } from './decider.queries.ts';
import { roleVersion, rolesQuery } from './role.queries.ts';

/** A role as approvers read it, with what it gives. */
export interface RoleRights {
  readonly name: string;
  readonly code: string;
  readonly parent_role_id: string | null;
  /** Its own. */
  readonly permissions: readonly string[];
  readonly roles: RoleMap;
  /** Whether it, or a role that inherits from it, gives the right to decide. */
  readonly decides: boolean;
}

/** A role of the tenant, or undefined. */
export async function roleRights(db: ReadSource, scope: ReadScope, roleId: string): Promise<RoleRights | undefined> {
  const rows = await read(db, scope, rolesQuery());
  const role = rows.find(({ id }) => id === roleId);
  if (role === undefined) return undefined;
  const roles = roleMap(rows);
  return { ...role, roles, decides: rolesDecide(roles, heirsOfRole(roles, roleId)) };
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

/** The codes of the ancestors of a role, or of those that it would have below another parent. */
export function ancestorCodes(role: RoleRights, parentId: string | null = role.parent_role_id): readonly string[] {
  return parentId === null ? [] : rightsOfRoles(role.roles, [parentId]).roles;
}

/** The present values of a role `r` by the members that a change may replace. */
const roleValues = {
  name: sql`r.name`,
  description: sql`r.description`,
  parent_role_id: sql`r.parent_role_id`,
  permissions: sql`coalesce(o.permissions, r.permissions)`,
};

/**
 * The version of a role, as {@link rolesQuery} counts it, and the values that a change replaces: whoever may rename it does not
 * hold up a change of what it gives.
 */
export function roleBasisQuery(roleId: string, touched: readonly (keyof typeof roleValues)[]) {
  const values = touched.map((member) => sql`${sql.lit(member)}::text, ${roleValues[member]}`);
  return rolesQuery()
    .where('r.id', '=', roleId)
    .clearSelect()
    .select([roleVersion, sql<JsonObject>`jsonb_build_object(${sql.join(values)})`.as('touched')]);
}
