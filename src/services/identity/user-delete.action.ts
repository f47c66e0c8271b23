import { sql } from 'kysely';
import { z } from 'zod';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { assertVersion } from '../../platform/row-version.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { reasonText, uuid } from '../../platform/value-schemas.ts';
import { defineAction } from '../actions/action.ts';
import { followDeactivation } from './offboarding.service.ts';
import { ownedKinds } from './resource-ownership.service.ts';
import { revokeSessions } from './sign-in/revoke-sessions.service.ts';
import { putNewsOfAccount } from '../approval/safeguard-news.repository.ts';
import { dependsOnDecider, gateOfAccount } from './role/decider-gate.ts';
import { userNames } from './user-names.queries.ts';
import { assertSuperAdminRemains, lockRights, assertNotSelf, assertNotStronger, recomputeRights } from './role/effective-rights.service.ts';
import { revokeAllRoles } from './role/role-assignment.service.ts';
import { rowVersion } from '../../platform/row-version-input.ts';

const userDeletePayload = z.strictObject({
  user_id: uuid,
  version: rowVersion,
  transfer_to: uuid.nullable().default(null).describe('User who becomes the owner of what this user owns'),
  reason: reasonText.nullable().default(null),
});

type Payload = z.output<typeof userDeletePayload>;

/**
 * Deletes an account (S2-7, S2-72). The row stays for the audit; the person can no longer sign in, sessions and roles
 * end, and what the person owns goes to somebody else. It cannot be undone: a person who returns gets a new account.
 */
export const userDelete = defineAction({
  name: 'user.delete',
  title: 'Delete a user',
  permission: 'user:delete',
  payload: userDeletePayload,
  environment: () => null,
  floor: () => 'mfa',
  demands: { depends_on: dependsOnDecider, gate: (db, scope, { user_id }) => gateOfAccount(db, scope, user_id) },
  basis: ({ user_id, version }) => ({
    base_version: version,
    judged_by: 'touched',
    // Nothing that the person can write alone holds a deletion up.
    query: kysely
      .selectFrom('users')
      .where('id', '=', user_id)
      .where('status', '<>', 'deleted')
      .select(['version', sql<JsonObject>`jsonb_build_object('status', status)`.as('touched')]),
  }),
  reason: ({ reason }) => reason,
  describe: ({ user_id, transfer_to }) =>
    `Delete the user ${user_id}` + (transfer_to === null ? '.' : ` and transfer what they own to ${transfer_to}.`),
  present: async (db, scope, { user_id, transfer_to }) => {
    const names = await userNames(db, scope, [user_id, ...(transfer_to === null ? [] : [transfer_to])]);
    const name = names.get(user_id) ?? user_id;
    const heir = transfer_to === null ? null : (names.get(transfer_to) ?? transfer_to);
    return {
      description: `Delete the user ${name}` + (heir === null ? '.' : ` and transfer what they own to ${heir}.`),
      changes: [{ field: 'user', before: name, after: null }],
    };
  },
  check: async (tx, payload) => {
    await assertDeletable(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const user = await assertDeletable(tx, payload);
    await putNewsOfAccount(tx, 'account-deleted', user.id);
    for (const kind of user.owns) {
      if (payload.transfer_to !== null) await kind.transfer(tx, user.id, payload.transfer_to);
    }
    await tx.sql
      .updateTable('users')
      .set({ status: 'deleted', deleted_at: sql<string>`now()` })
      .where('id', '=', user.id)
      .execute();
    const roles_revoked = await revokeAllRoles(tx, user.id);
    await recomputeRights(tx, user.id);
    await assertSuperAdminRemains(tx);
    const sessions = await revokeSessions(tx, { user_id: user.id }, 'deactivated');
    tx.audit({
      event: 'user.delete',
      action: 'delete',
      resource_type: 'user',
      resource_id: user.id,
      old_values: { status: user.status },
      new_values: {
        status: 'deleted',
        roles_revoked,
        sessions_ended: sessions.length,
        transfer_to: payload.transfer_to,
        reason: payload.reason,
        approval_id: authority.kind === 'approval' ? authority.approval_id : null,
      },
    });
    return { user_id: user.id };
  },
  undo: () => null,
  afterCommit: (deps, { actor, payload: { user_id, transfer_to }, change_id }) =>
    followDeactivation(deps, { actor, user_id, transfer_to, change_id }),
});

async function assertDeletable(tx: Tx, { user_id, version, transfer_to }: Payload) {
  assertNotSelf(tx, user_id);
  await lockRights(tx);
  const user = await tx.sql
    .selectFrom('users')
    .where('id', '=', user_id)
    .where('status', '<>', 'deleted')
    .select(['id', 'status', 'version'])
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (user === undefined) throw notFound('user');
  assertVersion(user, version);
  await assertNotStronger(tx, user_id);
  const owned = [];
  for (const kind of ownedKinds) {
    const count = await kind.count(tx, user_id);
    if (count > 0) owned.push({ kind, count });
  }
  await assertSuccessor(tx, user_id, transfer_to, owned);
  return { id: user.id, status: user.status, owns: owned.map(({ kind }) => kind) };
}

/** @throws Problem `user.owns-things` when no new owner is named, 422 when the named person cannot be one. */
async function assertSuccessor(
  tx: Tx,
  userId: string,
  transferTo: string | null,
  owned: readonly { kind: { resource: string }; count: number }[],
): Promise<void> {
  if (transferTo === null) {
    if (owned.length === 0) return;
    throw new Problem({
      code: 'user.owns-things',
      detail: 'Name in transfer_to the new owner of what this user owns.',
      members: { owned: owned.map(({ kind, count }) => ({ resource: kind.resource, count })) },
    });
  }
  const successor = await tx.sql
    .selectFrom('users')
    .where('id', '=', transferTo)
    .where('id', '<>', userId)
    .where('status', '=', 'active')
    .select('id')
    .executeTakeFirst();
  if (successor !== undefined) return;
  const errors = [{ pointer: '/transfer_to', detail: 'must be another active user' }];
  throw new Problem({ code: 'request.invalid', detail: 'This user cannot become the owner.', errors });
}
