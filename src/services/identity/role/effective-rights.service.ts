import { sql } from 'kysely';
import { allPermissions } from '../../../domain/identity/permissions.ts';
import type { Permission } from '../../../domain/identity/permissions.ts';
import { permissionsBeyond } from '../../../domain/identity/role-hierarchy.ts';
import { superAdminCode } from '../../../domain/identity/system-roles.ts';
import type { CoarseRole } from '../../../domain/identity/system-roles.ts';
import { effectiveRights, activeRoles, notLapsed } from './active-role.queries.ts';
import { Problem } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../../platform/row-version.ts';

/**
 * Serializes changes of rights in the tenant until the transaction ends. Rules that span rows (the last super admin, no
 * cycle among roles, nobody grants what they lack) are checked under this lock: otherwise two changes that are each
 * allowed could break one together.
 */
export async function lockRights(tx: Tx): Promise<void> {
  await tx.sql.selectFrom('tenants').where('id', '=', tx.actor.tenant_id).select('id').forNoKeyUpdate().execute();
}

/** What a person may do now. */
interface Rights {
  readonly roles: readonly string[];
  readonly permissions: readonly Permission[];
}

/** A person's rights by the roles held now, not those cached with a session; the person need not be active. */
export async function rightsOf(tx: Tx, userId: string): Promise<Rights> {
  const { rows } = await tx.sql.executeQuery(activeRoles().where('a.user_id', '=', userId).compile());
  return effectiveRights(rows);
}

/**
 * The rights of the actor. Those of a person come from the database: a workflow carries ids only, and the person may have
 * been deactivated since it started.
 */
export async function ownRights(tx: Tx): Promise<Rights> {
  const { user_id, roles, permissions } = tx.actor;
  if (user_id === null) return { roles, permissions };
  const { rows } = await tx.sql.executeQuery(
    activeRoles()
      .innerJoin('users as u', 'u.id', 'a.user_id')
      .where('u.status', '=', 'active')
      .where('u.id', '=', user_id)
      .compile(),
  );
  return effectiveRights(rows);
}

/** @throws Problem `role.grant-exceeds-own` with the permissions that the actor would grant without holding them. */
export async function assertWithinOwnRights(tx: Tx, wanted: readonly string[]): Promise<void> {
  const { permissions } = await ownRights(tx);
  const missing = permissionsBeyond(permissions, wanted);
  if (missing.length === 0) return;
  throw new Problem({
    code: 'role.grant-exceeds-own',
    detail: 'A user who holds these permissions has to do this.',
    members: { missing_permissions: missing },
  });
}

/** @throws Problem `role.own-rights` when the actor is the person whose rights would change. */
export function assertNotSelf(tx: Tx, userId: string): void {
  if (tx.actor.user_id !== userId) return;
  throw new Problem({ code: 'role.own-rights', detail: 'Ask another administrator.' });
}

/**
 * Lets nobody change the account of a person with more rights: whoever controls an account can act as its person (S4-26).
 *
 * @param within the rights that count; all, where the change could be used to act as the person.
 * @throws Problem `user.exceeds-own`.
 */
export async function assertNotStronger(tx: Tx, userId: string, within: readonly Permission[] = allPermissions): Promise<void> {
  if (tx.actor.user_id === userId) return;
  const [own, theirs] = [await ownRights(tx), await rightsOf(tx, userId)];
  const counted = theirs.permissions.filter((permission) => within.includes(permission));
  if (permissionsBeyond(own.permissions, counted).length === 0) return;
  throw new Problem({ code: 'user.exceeds-own', detail: 'A user with at least the same rights has to do this.' });
}

/**
 * Refuses a change that has left the tenant without an active super admin whose role does not end by itself. Call it under
 * {@link lockRights}, after the change.
 *
 * @throws Problem `user.last-super-admin`.
 */
export async function assertSuperAdminRemains(tx: Tx): Promise<void> {
  const remaining = await tx.sql
    .selectFrom('admin_role_assignments as a')
    .innerJoin('admin_roles as r', 'r.id', 'a.role_id')
    .innerJoin('users as u', 'u.id', 'a.user_id')
    .where('r.code', '=', superAdminCode)
    .where('r.is_system_role', '=', true)
    .where('u.status', '=', 'active')
    .where('a.revoked_at', 'is', null)
    .where('a.valid_until', 'is', null)
    .where('a.review_due_at', 'is', null)
    .select('a.id')
    .limit(1)
    .executeTakeFirst();
  if (remaining !== undefined) return;
  throw new Problem({
    code: 'user.last-super-admin',
    detail: 'Make another user a super admin without an end first.',
  });
}

const coarseRank: Readonly<Record<CoarseRole, number>> = { user: 0, admin: 1, sysadmin: 2 };

/** The highest of some coarse roles; `user` when there are none. */
export function highestCoarseRole(roles: readonly CoarseRole[]): CoarseRole {
  return roles.reduce((highest, role) => (coarseRank[role] > coarseRank[highest] ? role : highest), 'user');
}

/** After a change of roles: recomputes the coarse role, gives the account a new version, invalidates caches. */
export async function recomputeRights(tx: Tx, userId: string): Promise<void> {
  const held = await tx.sql
    .selectFrom('admin_role_assignments as a')
    .innerJoin('admin_roles as r', 'r.id', 'a.role_id')
    .where('a.user_id', '=', userId)
    .where('a.revoked_at', 'is', null)
    .where(notLapsed)
    .select('r.coarse_role')
    .execute();
  await tx.sql
    .updateTable('users')
    .set({
      role: highestCoarseRole(held.map(({ coarse_role }) => coarse_role)),
      version: nextVersion(),
      updated_at: sql<string>`now()`,
    })
    .where('id', '=', userId)
    .execute();
  tx.invalidate({ kind: 'user', key: userId });
}
