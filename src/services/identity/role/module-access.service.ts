import { can, rolePermissionFor } from '../../../domain/identity/access.ts';
import type { AccessDecision } from '../../../domain/identity/access.ts';
import { moduleActionOf } from '../../../domain/identity/module-permission.ts';
import type { Permission } from '../../../domain/identity/permissions.ts';
import type { Actor } from '../../../domain/shared/actor.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import { moduleGrants } from './module-permission.queries.ts';

/**
 * Whether a person has a permission that a role or a software module gives, and by which rule (S4-26, X-29). The grants are read
 * for this question and kept for no other, so that what is taken away or has run out counts at once (S4-25).
 *
 * @param scope who asks.
 */
export async function decideModuleAccess(
  db: ReadSource,
  scope: ReadScope,
  subject: Pick<Actor, 'user_id' | 'permissions' | 'roles'>,
  permission: Permission,
): Promise<AccessDecision> {
  const module = moduleActionOf(permission);
  if (module === undefined || rolePermissionFor(subject, permission) !== undefined) return can(subject, permission);
  return can(subject, permission, { type: 'module', ...module, grants: await moduleGrants(db, scope, subject.user_id) });
}
