import { sql } from 'kysely';
import { rightsOfRoles } from '../../../domain/identity/role-hierarchy.ts';
import type { RoleMap } from '../../../domain/identity/role-hierarchy.ts';
import { superAdminCode } from '../../../domain/identity/system-roles.ts';
import { assignmentEnd } from './active-role.queries.ts';
import { unknownReference } from '../../../platform/input-issues.ts';
import { Problem, notFound, taken } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { assertSuperAdminRemains, lockRights, assertWithinOwnRights, assertNotSelf, assertNotStronger, ownRights, recomputeRights } from './effective-rights.service.ts';
import { recordAct } from '../account-act/account-act.repository.ts';
import type { ActAuthority } from '../account-act/account-act.repository.ts';
import { eligibleRoles, rolesGiveSay } from './decider.queries.ts';
import { loadRoles } from './role.repository.ts';
import { assertUserExists } from '../user.repository.ts';

/** A role to assign, with its times: RFC 3339, null for no end. */
export interface RoleGrant {
  readonly role_id: string;
  readonly valid_until: string | null;
  /** The role lapses then unless somebody confirms it before. */
  readonly review_due_at: string | null;
  readonly reason: string | null;
}

const columns = [
  'id',
  'user_id',
  'role_id',
  'assigned_by',
  'approval_id',
  'reason',
  'assigned_at',
  'valid_until',
  'review_due_at',
  'revoked_at',
  'revoked_by',
] as const;

/**
 * For changes that assign roles besides what they are there for.
 *
 * @throws Problem `auth.forbidden` when the actor has not the permission `role:assign` now.
 */
export async function assertMayAssignRoles(tx: Tx): Promise<void> {
  if ((await ownRights(tx)).permissions.includes('role:assign')) return;
  throw new Problem({ code: 'auth.forbidden', detail: 'Assigning roles needs the permission role:assign.' });
}

/**
 * Assigns a role: a new row of the ledger. An open row of the same role that has lapsed is closed at the time it lapsed. Whoever
 * gives a say in approvals stands behind the account from now on (R1).
 *
 * @param authority the approved request that it is assigned on, if any.
 * @throws Problem when the actor lacks a permission of the role, is the person or weaker than the person, or the role is held already.
 */
export async function assignRole(tx: Tx, userId: string, grant: RoleGrant, authority: ActAuthority | null = null) {
  assertNotSelf(tx, userId);
  await lockRights(tx);
  await assertUserExists(tx, userId);
  await assertNotStronger(tx, userId);
  const roles = await loadRoles(tx);
  if (!roles.has(grant.role_id)) throw unknownReference('/role_id', 'role');
  await assertWithinOwnRights(tx, rightsOfRoles(roles, [grant.role_id]).permissions);
  await recordGrant(tx, userId, roles, grant.role_id, authority);
  return openAssignment(tx, userId, grant, authority?.approval_id ?? null);
}

/** Keeps that the actor has given somebody a role, if it gives a say in approvals (R1). */
async function recordGrant(tx: Tx, userId: string, roles: RoleMap, roleId: string, authority: ActAuthority | null): Promise<void> {
  if (!rolesGiveSay(roles, [roleId], await eligibleRoles(tx, tx.actor))) return;
  recordAct(tx, { target_id: userId, kind: 'grant', detail: roles.get(roleId)?.code ?? null }, authority);
}

/**
 * Makes a person super admin without an end, whatever the actor holds: only for what the operator of the installation has
 * ordered (T-36). Call it under {@link lockRights}.
 *
 * @returns false for a person who was super admin without an end already.
 */
export async function assignSuperAdmin(tx: Tx, userId: string, reason: string): Promise<boolean> {
  const role = await tx.sql
    .selectFrom('admin_roles')
    .where('code', '=', superAdminCode)
    .where('is_system_role', '=', true)
    .select('id')
    .executeTakeFirstOrThrow();
  const held = await tx.sql
    .selectFrom('admin_role_assignments')
    .where('user_id', '=', userId)
    .where('role_id', '=', role.id)
    .where('revoked_at', 'is', null)
    .select(['id', 'valid_until', 'review_due_at'])
    .executeTakeFirst();
  if (held !== undefined) {
    if (held.valid_until === null && held.review_due_at === null) return false;
    await tx.sql
      .updateTable('admin_role_assignments as a')
      .set({ revoked_at: sql<string>`least(${assignmentEnd}, now())` })
      .where('a.id', '=', held.id)
      .execute();
  }
  await openAssignment(tx, userId, { role_id: role.id, valid_until: null, review_due_at: null, reason }, null);
  return true;
}

async function openAssignment(tx: Tx, userId: string, grant: RoleGrant, approvalId: string | null) {
  await tx.sql
    .updateTable('admin_role_assignments as a')
    .set({ revoked_at: assignmentEnd })
    .where('a.user_id', '=', userId)
    .where('a.role_id', '=', grant.role_id)
    .where('a.revoked_at', 'is', null)
    .where(assignmentEnd, '<=', sql<string>`now()`)
    .execute();
  const assigned = await tx.sql
    .insertInto('admin_role_assignments')
    .values({
      tenant_id: tx.actor.tenant_id,
      user_id: userId,
      assigned_by: tx.actor.user_id,
      approval_id: approvalId,
      assigned_at: sql<string>`now()`,
      ...grant,
    })
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'user_id', 'role_id']).where('revoked_at', 'is', null).doNothing(),
    )
    .returning(columns)
    .executeTakeFirst();
  if (assigned === undefined) {
    throw taken('role_id', 'The user holds this role already; remove it first to change its times.');
  }
  await recomputeRights(tx, userId);
  tx.audit({
    event: 'role.assign',
    action: 'permission_change',
    resource_type: 'role_assignment',
    resource_id: assigned.id,
    new_values: { user_id: userId, ...grant },
  });
  return assigned;
}

/**
 * Revokes a role: closes its row in the ledger.
 *
 * @throws Problem when the actor is the person or has fewer rights, or the last super admin would lose the role.
 */
export async function revokeRole(tx: Tx, userId: string, assignmentId: string): Promise<void> {
  assertNotSelf(tx, userId);
  await lockRights(tx);
  await assertNotStronger(tx, userId);
  const revoked = await tx.sql
    .updateTable('admin_role_assignments')
    .set({ revoked_at: sql<string>`now()`, revoked_by: tx.actor.user_id })
    .where('id', '=', assignmentId)
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .returning(['id', 'role_id'])
    .executeTakeFirst();
  if (revoked === undefined) throw notFound('role assignment');
  await assertSuperAdminRemains(tx);
  await recomputeRights(tx, userId);
  tx.audit({
    event: 'role.revoke',
    action: 'permission_change',
    resource_type: 'role_assignment',
    resource_id: assignmentId,
    old_values: { user_id: userId, role_id: revoked.role_id },
  });
}

/**
 * Confirms an assignment before its review is due and sets the next review. One that has lapsed stays so in the ledger:
 * the role is assigned again.
 *
 * @param nextReviewAt RFC 3339, null for never again.
 */
export async function reviewAssignment(
  tx: Tx,
  userId: string,
  assignmentId: string,
  nextReviewAt: string | null,
  authority: ActAuthority | null = null,
) {
  assertNotSelf(tx, userId);
  await lockRights(tx);
  await assertNotStronger(tx, userId);
  const before = await tx.sql
    .selectFrom('admin_role_assignments as a')
    .where('a.id', '=', assignmentId)
    .where('a.user_id', '=', userId)
    .where('a.revoked_at', 'is', null)
    .select(['a.role_id', 'a.review_due_at', sql<boolean>`coalesce(${assignmentEnd} <= now(), false)`.as('is_lapsed')])
    .executeTakeFirst();
  if (before === undefined) throw notFound('role assignment');
  if (before.is_lapsed) {
    throw new Problem({ code: 'resource.conflict', detail: 'The assignment has lapsed; assign the role again.' });
  }
  const reviewed = await tx.sql
    .updateTable('admin_role_assignments')
    .set({ review_due_at: nextReviewAt })
    .where('id', '=', assignmentId)
    .returning(columns)
    .executeTakeFirstOrThrow();
  // An extension lasts longer than what was given, so it is given anew.
  await recordGrant(tx, userId, await loadRoles(tx), before.role_id, authority);
  await assertSuperAdminRemains(tx);
  await recomputeRights(tx, userId);
  tx.audit({
    event: 'role.review',
    action: 'permission_change',
    resource_type: 'role_assignment',
    resource_id: assignmentId,
    old_values: { review_due_at: before.review_due_at },
    new_values: { review_due_at: nextReviewAt },
  });
  return reviewed;
}

/** Revokes every role of a person whose account is deleted. @returns how many. */
export async function revokeAllRoles(tx: Tx, userId: string): Promise<number> {
  const revoked = await tx.sql
    .updateTable('admin_role_assignments')
    .set({ revoked_at: sql<string>`now()`, revoked_by: tx.actor.user_id })
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .returning('id')
    .execute();
  return revoked.length;
}
