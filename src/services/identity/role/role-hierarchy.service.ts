import { rightsOfRoles, wouldCycle } from '../../../domain/identity/role-hierarchy.ts';
import type { RoleNode } from '../../../domain/identity/role-hierarchy.ts';
import { superAdminCode } from '../../../domain/identity/system-roles.ts';
import { unknownReference } from '../../../platform/input-issues.ts';
import { Problem } from '../../../platform/problem.ts';
import { assertVersion } from '../../../platform/row-version.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { lockRights, ownRights, assertWithinOwnRights } from './effective-rights.service.ts';
import { loadRoles, loadRole } from './role.repository.ts';

/**
 * What a role inherits from a parent.
 *
 * @throws Problem `request.invalid` when there is no such role, or `role.immutable` for the super admin: whoever is to have all rights is given that very role.
 */
export async function assertParent(tx: Tx, parentId: string | null) {
  if (parentId === null) return { permissions: [], coarse_role: 'user' as const };
  const known = await loadRoles(tx);
  if (!known.has(parentId)) throw unknownReference('/parent_role_id', 'role');
  const { roles, permissions } = rightsOfRoles(known, [parentId]);
  if (roles.includes(superAdminCode)) {
    throw new Problem({ code: 'role.immutable', detail: 'No role can inherit from the super admin.' });
  }
  const { coarse_role } = await loadRole(tx, parentId);
  return { permissions, coarse_role };
}

/**
 * Locks rights and loads a role that the tenant made itself, at the version that the caller has read.
 *
 * @throws Problem 404, `role.immutable` for a system role, `resource.version-mismatch`.
 */
export async function assertOwnRole(tx: Tx, id: string, version: number) {
  await lockRights(tx);
  const role = await loadRole(tx, id);
  if (role.is_system_role) throw new Problem({ code: 'role.immutable', detail: 'System roles keep name and parent.' });
  return assertVersion(role, version);
}

/**
 * A new parent adds and removes permissions, so the rules are those of the matrix.
 *
 * @returns the coarse role that comes with the parent.
 * @throws Problem `role.cycle`, `role.own-rights`, `role.grant-exceeds-own`, or as {@link assertParent}.
 */
export async function assertMovable(
  tx: Tx,
  role: Pick<RoleNode, 'id' | 'code' | 'parent_role_id'>,
  parentId: string | null,
) {
  const roles = await loadRoles(tx);
  if (parentId !== null && wouldCycle(roles, role.id, parentId)) {
    throw new Problem({ code: 'role.cycle', detail: 'The new parent inherits from this role.' });
  }
  if ((await ownRights(tx)).roles.includes(role.code)) {
    throw new Problem({ code: 'role.own-rights', detail: 'You hold this role. Ask another administrator.' });
  }
  const parent = await assertParent(tx, parentId);
  const before = role.parent_role_id === null ? [] : rightsOfRoles(roles, [role.parent_role_id]).permissions;
  await assertWithinOwnRights(tx, [...parent.permissions, ...before]);
  return parent.coarse_role;
}
