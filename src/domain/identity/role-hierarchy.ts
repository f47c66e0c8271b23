import { allPermissions, isPermission } from './permissions.ts';
import type { Permission } from './permissions.ts';
import { superAdminCode } from './system-roles.ts';

/** A role with its place in the hierarchy and its own permissions. */
export interface RoleNode {
  readonly id: string;
  readonly code: string;
  readonly parent_role_id: string | null;
  /** What the role itself gives, without its ancestors. */
  readonly permissions: readonly string[];
}

/** Roles by id. */
export type RoleMap = ReadonlyMap<string, RoleNode>;

/** Indexes roles by id. */
export function roleMap(roles: readonly RoleNode[]): RoleMap {
  return new Map(roles.map((role) => [role.id, role]));
}

/** A role and its ancestors, nearest first. Ends at an unknown parent, and at a cycle if there is one. */
export function lineOfRole(roles: RoleMap, roleId: string): RoleNode[] {
  const line: RoleNode[] = [];
  const seen = new Set<string>();
  for (let next = roles.get(roleId); next !== undefined && !seen.has(next.id); ) {
    seen.add(next.id);
    line.push(next);
    next = next.parent_role_id === null ? undefined : roles.get(next.parent_role_id);
  }
  return line;
}

/** True when this parent would make the role its own ancestor (S2-71). */
export function wouldCycle(roles: RoleMap, roleId: string, parentId: string): boolean {
  return lineOfRole(roles, parentId).some(({ id }) => id === roleId);
}

/** The ids of a role and of every role that inherits from it. */
export function heirsOfRole(roles: RoleMap, roleId: string): string[] {
  return [...roles.keys()].filter((id) => lineOfRole(roles, id).some((ancestor) => ancestor.id === roleId));
}

/**
 * What holding these roles gives: the union over all of them and their ancestors, in catalogue order, so that it does not
 * depend on the order of assignment. The super admin holds every permission, whatever a matrix says.
 */
export function rightsOfRoles(
  roles: RoleMap,
  heldRoleIds: Iterable<string>,
): { roles: string[]; permissions: readonly Permission[] } {
  const lines = [...heldRoleIds].flatMap((id) => lineOfRole(roles, id));
  const codes = [...new Set(lines.map(({ code }) => code))].sort();
  if (codes.includes(superAdminCode)) return { roles: codes, permissions: allPermissions };
  const given = new Set(lines.flatMap(({ permissions }) => permissions).filter(isPermission));
  return { roles: codes, permissions: allPermissions.filter((permission) => given.has(permission)) };
}

/** The permissions of `wanted` that are not among `held`: what somebody would grant without holding it (S2-71). */
export function permissionsBeyond(held: readonly string[], wanted: readonly string[]): string[] {
  const own = new Set(held);
  return wanted.filter((permission) => !own.has(permission));
}
