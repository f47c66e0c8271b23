import { sql } from 'kysely';
import { z } from 'zod';
import { allPermissions } from '../../../domain/identity/permissions.ts';
import type { Permission } from '../../../domain/identity/permissions.ts';
import { permissionsBeyond } from '../../../domain/identity/role-hierarchy.ts';
import { superAdminCode } from '../../../domain/identity/system-roles.ts';
import { Problem } from '../../../platform/problem.ts';
import { assertChanges, assertVersion, nextVersion } from '../../../platform/row-version.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { reasonText, uuid } from '../../../platform/value-schemas.ts';
import { actAuthority, defineAction } from '../../actions/action.ts';
import { dependsOnRights, gateOfRights } from './decider-gate.ts';
import { withNewDeciders } from './new-decider.service.ts';
import { roleBasisQuery, roleRights } from './role-rights.queries.ts';
import { lockRights, ownRights, assertWithinOwnRights } from './effective-rights.service.ts';
import { appendRoleHistory, loadRole } from './role.repository.ts';
import { rowVersion } from '../../../platform/row-version-input.ts';

/** A set of permissions: each once, in catalogue order, whatever the order it was given in. */
export const permissionSet = z
  .array(z.enum(allPermissions as [Permission, ...Permission[]]))
  .max(allPermissions.length)
  .transform((given) => allPermissions.filter((permission) => given.includes(permission)));

const roleUpdatePermissionsPayload = z.strictObject({
  role_id: uuid,
  permissions: permissionSet,
  version: rowVersion,
  reason: reasonText.nullable().default(null),
});

type Payload = z.output<typeof roleUpdatePermissionsPayload>;

/**
 * Changes the permissions of a role in this tenant (S2-12). Nobody adds or removes a permission that they do not hold, or
 * changes a role that they hold themselves; the super admin's matrix cannot be changed.
 */
export const roleUpdatePermissions = defineAction({
  name: 'role.update-permissions',
  title: 'Change the permissions of a role',
  permission: 'role:manage',
  payload: roleUpdatePermissionsPayload,
  environment: () => null,
  floor: () => 'mfa',
  demands: {
    depends_on: dependsOnRights,
    gate: async (db, scope, { role_id, permissions }) => {
      const role = await roleRights(db, scope, role_id);
      return role === undefined ? 'mfa' : gateOfRights(db, scope, { before: role.permissions, after: permissions, decides: role.decides });
    },
  },
  basis: ({ role_id, version }) => ({ base_version: version, judged_by: 'touched', query: roleBasisQuery(role_id, ['permissions']) }),
  reason: ({ reason }) => reason,
  describe: ({ role_id, permissions }) =>
    `Set the own permissions of the role ${role_id} to: ${permissions.join(', ') || 'none'}.`,
  present: async (db, scope, { role_id, permissions }) => {
    const role = await roleRights(db, scope, role_id);
    const before = role?.permissions ?? [];
    return {
      description: `Change the own permissions of the role ${role === undefined ? role_id : `${role.name} (${role.code})`}.`,
      changes: [
        { field: 'added permissions', before: null, after: permissionsBeyond(before, permissions) },
        { field: 'removed permissions', before: permissionsBeyond(permissions, before), after: null },
      ],
    };
  },
  check: async (tx, payload) => {
    await assertChangeable(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const role = await assertChangeable(tx, payload);
    const approval_id = authority.kind === 'approval' ? authority.approval_id : null;
    await withNewDeciders(tx, role.code, actAuthority(authority), () =>
      role.is_system_role
        ? saveMatrix(tx, role.id, payload.permissions)
        : saveOwnPermissions(tx, role.id, payload.permissions),
    );
    await appendRoleHistory(tx, { ...role, permissions: payload.permissions }, { approval_id });
    tx.audit({
      event: 'role.update-permissions',
      action: 'permission_change',
      resource_type: 'role',
      resource_id: role.id,
      old_values: { permissions: role.permissions },
      new_values: { permissions: payload.permissions, reason: payload.reason, approval_id },
    });
    return { role_id: role.id, version: role.version + 1, previous_permissions: role.permissions };
  },
  undo: (payload, result) => ({
    action: 'role.update-permissions',
    payload: {
      role_id: payload.role_id,
      permissions: result['previous_permissions'] ?? [],
      version: result['version'] ?? 1,
      reason: null,
    },
  }),
});

async function assertChangeable(tx: Tx, { role_id, permissions, version }: Payload) {
  await lockRights(tx);
  const role = assertVersion(await loadRole(tx, role_id), version);
  const added = permissionsBeyond(role.permissions, permissions);
  const removed = permissionsBeyond(permissions, role.permissions);
  assertChanges({ added: [], removed: [] }, { added, removed }, 'role');
  if (role.code === superAdminCode && role.is_system_role) {
    throw new Problem({ code: 'role.immutable', detail: 'The super admin always holds all permissions.' });
  }
  const own = await ownRights(tx);
  if (own.roles.includes(role.code)) {
    throw new Problem({ code: 'role.own-rights', detail: 'You hold this role. Ask another administrator.' });
  }
  await assertWithinOwnRights(tx, [...added, ...removed]);
  return role;
}

async function saveMatrix(tx: Tx, roleId: string, permissions: readonly Permission[]): Promise<void> {
  const values = { permissions: [...permissions], updated_by: tx.actor.user_id };
  await tx.sql
    .insertInto('admin_role_permissions')
    .values({ tenant_id: tx.actor.tenant_id, role_id: roleId, ...values })
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'role_id']).doUpdateSet({
        ...values,
        version: nextVersion('admin_role_permissions'),
        updated_at: sql<string>`now()`,
      }),
    )
    .execute();
}

async function saveOwnPermissions(tx: Tx, roleId: string, permissions: readonly Permission[]): Promise<void> {
  await tx.sql
    .updateTable('admin_roles')
    .set({ permissions: [...permissions], version: nextVersion(), updated_at: sql<string>`now()` })
    .where('id', '=', roleId)
    .execute();
}
