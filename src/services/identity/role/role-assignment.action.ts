import { z } from 'zod';
import { strongestGate } from '../../../domain/approval/approval-gate.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import { notFound } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { timestampInput, uuid } from '../../../platform/value-schemas.ts';
import { actAuthority, defineAction } from '../../actions/action.ts';
import { putNewsOfAccount } from '../../approval/safeguard-news.repository.ts';
import { assertGrantable, storedGrant } from '../user-create.action.ts';
import { userName } from '../user-names.queries.ts';
import { assertUserExists } from '../user.repository.ts';
import { dependsOnDecider, dependsOnSay, gateOfAccount, gateOfRoles } from './decider-gate.ts';
import { assertNotSelf, assertNotStronger } from './effective-rights.service.ts';
import { assignRole, reviewAssignment, revokeRole } from './role-assignment.service.ts';
import { roleTexts } from './role-texts.queries.ts';

/** Assigns a role (S2-8, S2-9); one that gives a say in approvals by two persons once there is a pair (R5). */
export const userAssignRole = defineAction({
  name: 'user.assign-role',
  title: 'Assign a role to a user',
  permission: 'role:assign',
  payload: storedGrant.extend({ user_id: uuid }),
  environment: () => null,
  floor: () => 'mfa',
  demands: { depends_on: dependsOnSay, gate: (db, scope, { role_id }) => gateOfRoles(db, scope, [role_id]) },
  reason: ({ reason }) => reason,
  describe: ({ user_id, role_id }) => `Assign the role ${role_id} to the user ${user_id}.`,
  present: async (db, scope, { user_id, role_id, valid_until }) => {
    const [role] = await roleTexts(db, scope, [role_id]);
    const until = valid_until === null ? '' : ` until ${valid_until}`;
    return {
      description: `Assign the role ${role ?? role_id} to ${await userName(db, scope, user_id)}${until}.`,
      changes: [{ field: 'role', before: null, after: role ?? role_id }],
    };
  },
  check: async (tx, { user_id, ...grant }) => {
    assertNotSelf(tx, user_id);
    await assertUserExists(tx, user_id);
    await assertGrantable(tx, grant);
  },
  execute: async (tx, { user_id, ...grant }, authority) => {
    const assignment = await assignRole(tx, user_id, grant, actAuthority(authority));
    await putNewsOfAccount(tx, 'role-given', user_id);
    return { assignment };
  },
  undo: ({ user_id }, result) => {
    const assigned = z.object({ assignment: z.object({ id: uuid }) }).safeParse(result);
    if (!assigned.success) return null;
    return { action: 'user.revoke-role', payload: { user_id, assignment_id: assigned.data.assignment.id } };
  },
});

const assignmentPayload = z.strictObject({ user_id: uuid, assignment_id: uuid });

/** Removes a role (S2-8). A decider's rights are taken away by two persons once there is a pair (R4). */
export const userRevokeRole = defineAction({
  name: 'user.revoke-role',
  title: 'Remove a role from a user',
  permission: 'role:assign',
  payload: assignmentPayload,
  environment: () => null,
  floor: () => 'mfa',
  demands: { depends_on: dependsOnDecider, gate: (db, scope, { user_id }) => gateOfAccount(db, scope, user_id) },
  reason: () => null,
  describe: ({ user_id, assignment_id }) => `Remove the role assignment ${assignment_id} from the user ${user_id}.`,
  present: async (db, scope, { user_id, assignment_id }) => {
    const role = await roleOf(db, scope, assignment_id);
    return {
      description: `Remove the role ${role} from ${await userName(db, scope, user_id)}.`,
      changes: [{ field: 'role', before: role, after: null }],
    };
  },
  check: assertRevocable,
  execute: async (tx, { user_id, assignment_id }) => {
    await putNewsOfAccount(tx, 'role-taken', user_id);
    await revokeRole(tx, user_id, assignment_id);
    return { user_id };
  },
  undo: () => null,
});

/** Confirms a time-bound role and sets its next review; one that gives a say by two persons once there is a pair (R5). */
export const userReviewRole = defineAction({
  name: 'user.review-role',
  title: 'Confirm a role assignment',
  permission: 'role:assign',
  payload: assignmentPayload.extend({ review_due_at: timestampInput.nullable() }),
  environment: () => null,
  floor: () => 'mfa',
  demands: {
    depends_on: dependsOnSay,
    gate: async (db, scope, { user_id, assignment_id }) => {
      const [assignment] = await read(db, scope, assignmentQuery(assignment_id));
      // A near review takes a role away, an extension gives it anew.
      return strongestGate([
        await gateOfAccount(db, scope, user_id),
        await gateOfRoles(db, scope, assignment === undefined ? [] : [assignment.role_id]),
      ]);
    },
  },
  reason: () => null,
  describe: ({ user_id, assignment_id }) => `Confirm the role assignment ${assignment_id} of the user ${user_id}.`,
  present: async (db, scope, { user_id, assignment_id, review_due_at }) => {
    const role = await roleOf(db, scope, assignment_id);
    return {
      description: `Confirm the role ${role} of ${await userName(db, scope, user_id)}.`,
      changes: [{ field: 'next review', before: null, after: review_due_at }],
    };
  },
  check: assertRevocable,
  execute: async (tx, { user_id, assignment_id, review_due_at }, authority) => {
    const assignment = await reviewAssignment(tx, user_id, assignment_id, review_due_at, actAuthority(authority));
    await putNewsOfAccount(tx, 'role-confirmed', user_id);
    return { assignment };
  },
  undo: () => null,
});

function assignmentQuery(assignmentId: string) {
  return kysely.selectFrom('admin_role_assignments').where('id', '=', assignmentId).select('role_id');
}

async function roleOf(db: ReadSource, scope: ReadScope, assignmentId: string): Promise<string> {
  const [assignment] = await read(db, scope, assignmentQuery(assignmentId));
  if (assignment === undefined) return assignmentId;
  const [role] = await roleTexts(db, scope, [assignment.role_id]);
  return role ?? assignment.role_id;
}

async function assertRevocable(tx: Tx, { user_id, assignment_id }: z.output<typeof assignmentPayload>): Promise<void> {
  assertNotSelf(tx, user_id);
  await assertNotStronger(tx, user_id);
  const open = await tx.sql
    .selectFrom('admin_role_assignments')
    .where('id', '=', assignment_id)
    .where('user_id', '=', user_id)
    .where('revoked_at', 'is', null)
    .select('id')
    .executeTakeFirst();
  if (open === undefined) throw notFound('role assignment');
}
