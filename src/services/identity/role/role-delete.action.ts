import { sql } from 'kysely';
import { z } from 'zod';
import { notLapsed } from './active-role.queries.ts';
import { Problem } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { defineAction } from '../../actions/action.ts';
import { dependsOnRights, gateOfRights } from './decider-gate.ts';
import { rightsWith, roleBasisQuery, roleRights } from './role-rights.queries.ts';
import { roleTexts } from './role-texts.queries.ts';
import { assertOwnRole } from './role-hierarchy.service.ts';
import { rowVersion } from '../../../platform/row-version-input.ts';
import { nextVersion } from '../../../platform/row-version.ts';
import { uuid } from '../../../platform/value-schemas.ts';

const roleDeletePayload = z.strictObject({
  role_id: uuid,
  version: rowVersion,
});

type Payload = z.output<typeof roleDeletePayload>;

/**
 * Deletes a role of the tenant that nobody holds and no role inherits from, so that nobody loses a right by it (S2-71).
 * It is undone by creating a role with the same values.
 */
export const roleDelete = defineAction({
  name: 'role.delete',
  title: 'Delete a role',
  permission: 'role:manage',
  payload: roleDeletePayload,
  environment: () => null,
  floor: () => 'mfa',
  demands: {
    depends_on: dependsOnRights,
    gate: async (db, scope, { role_id }) => {
      const role = await roleRights(db, scope, role_id);
      return role === undefined ? 'mfa' : gateOfRights(db, scope, { before: rightsWith(role), after: null, decides: role.decides });
    },
  },
  basis: ({ role_id, version }) => ({ base_version: version, judged_by: 'touched', query: roleBasisQuery(role_id, []) }),
  reason: () => null,
  describe: ({ role_id }) => `Delete the role ${role_id}, which nobody holds.`,
  present: async (db, scope, { role_id }) => {
    const [role] = await roleTexts(db, scope, [role_id]);
    return {
      description: `Delete the role ${role ?? role_id}, which nobody holds.`,
      changes: [{ field: 'role', before: role ?? role_id, after: null }],
    };
  },
  check: async (tx, payload) => {
    await assertDeletable(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const { id, code, name, description, parent_role_id, permissions } = await assertDeletable(tx, payload);
    await tx.sql
      .updateTable('admin_roles')
      .set({ deleted_at: sql<string>`now()`, version: nextVersion() })
      .where('id', '=', id)
      .execute();
    tx.invalidate({ kind: 'tenant-roles', key: tx.actor.tenant_id });
    const role = { code, name, description, parent_role_id, permissions: [...permissions] };
    tx.audit({
      event: 'role.delete',
      action: 'delete',
      resource_type: 'role',
      resource_id: id,
      old_values: role,
      new_values: { approval_id: authority.kind === 'approval' ? authority.approval_id : null },
    });
    return role;
  },
  undo: (_payload, role) => ({ action: 'role.create', payload: role }),
});

/** @throws Problem `role.in-use` while somebody holds the role or another role inherits from it. */
async function assertDeletable(tx: Tx, { role_id, version }: Payload) {
  const role = await assertOwnRole(tx, role_id, version);
  const holder = await tx.sql
    .selectFrom('admin_role_assignments as a')
    .where('a.role_id', '=', role_id)
    .where('a.revoked_at', 'is', null)
    .where(notLapsed)
    .select('a.id')
    .executeTakeFirst();
  const child = await tx.sql
    .selectFrom('admin_roles')
    .where('parent_role_id', '=', role_id)
    .where('deleted_at', 'is', null)
    .select('id')
    .executeTakeFirst();
  if (holder === undefined && child === undefined) return role;
  throw new Problem({
    code: 'role.in-use',
    detail: holder === undefined ? 'Another role inherits from it.' : 'It is assigned; remove it from its users first.',
  });
}
