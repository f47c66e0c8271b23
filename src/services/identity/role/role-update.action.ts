import { sql } from 'kysely';
import { z } from 'zod';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { actAuthority, defineAction } from '../../actions/action.ts';
import { dependsOnRights, gateOfRights } from './decider-gate.ts';
import { withNewDeciders } from './new-decider.service.ts';
import { roleText } from './role-create.action.ts';
import { ancestorCodes, rightsWith, roleBasisQuery, roleRights } from './role-rights.queries.ts';
import { roleTexts } from './role-texts.queries.ts';
import { assertMovable, assertOwnRole } from './role-hierarchy.service.ts';
import { appendRoleHistory } from './role.repository.ts';
import { rowVersion } from '../../../platform/row-version-input.ts';
import { assertChanges, nextVersion } from '../../../platform/row-version.ts';
import { uuid } from '../../../platform/value-schemas.ts';

/** What is left out stays. */
export const roleChange = z.strictObject({
  name: roleText.name.optional(),
  description: roleText.description.optional(),
  parent_role_id: roleText.parent_role_id.optional(),
});

const roleUpdatePayload = roleChange.extend({
  role_id: uuid,
  version: rowVersion,
});

type Payload = z.output<typeof roleUpdatePayload>;

/** Changes name, description or parent of a role of the tenant; the parent decides what its holders may do (S2-71). */
export const roleUpdate = defineAction({
  name: 'role.update',
  title: 'Change name, description or parent of a role',
  permission: 'role:manage',
  payload: roleUpdatePayload,
  environment: () => null,
  floor: () => 'mfa',
  demands: {
    depends_on: [...dependsOnRights, 'eligible'],
    gate: async (db, scope, { role_id, parent_role_id }) => {
      const role = await roleRights(db, scope, role_id);
      if (role === undefined || parent_role_id === undefined) return 'mfa';
      return gateOfRights(db, scope, {
        before: rightsWith(role),
        after: rightsWith(role, { parent_role_id }),
        decides: role.decides,
        ancestors: { before: ancestorCodes(role), after: ancestorCodes(role, parent_role_id) },
      });
    },
  },
  basis: (payload) => {
    const touched = (['name', 'description', 'parent_role_id'] as const).filter((member) => payload[member] !== undefined);
    return { base_version: payload.version, judged_by: 'touched', query: roleBasisQuery(payload.role_id, touched) };
  },
  reason: () => null,
  describe: ({ role_id, parent_role_id }) =>
    parent_role_id === undefined
      ? `Change name or description of the role ${role_id}.`
      : `Let the role ${role_id} inherit from ${parent_role_id === null ? 'no role' : `the role ${parent_role_id}`}.`,
  present: async (db, scope, { role_id, name, description, parent_role_id }) => {
    const role = await roleRights(db, scope, role_id);
    const parentText = async (id: string | null) => (id === null ? null : ((await roleTexts(db, scope, [id]))[0] ?? id));
    return {
      description: `Change the role ${role === undefined ? role_id : `${role.name} (${role.code})`}.`,
      changes: [
        ...(name === undefined ? [] : [{ field: 'name', before: role?.name ?? null, after: name }]),
        ...(description === undefined ? [] : [{ field: 'description', before: null, after: description }]),
        ...(parent_role_id === undefined
          ? []
          : [{ field: 'parent role', before: await parentText(role?.parent_role_id ?? null), after: await parentText(parent_role_id) }]),
      ],
    };
  },
  check: async (tx, payload) => {
    await assertUpdatable(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const { role, moves, coarse_role } = await assertUpdatable(tx, payload);
    const { role_id: _role, version: _version, ...changes } = payload;
    const approval_id = authority.kind === 'approval' ? authority.approval_id : null;
    await withNewDeciders(tx, role.code, actAuthority(authority), () =>
      tx.sql
        .updateTable('admin_roles')
        .set({ ...changes, coarse_role, version: nextVersion(), updated_at: sql<string>`now()` })
        .where('id', '=', role.id)
        .execute(),
    );
    if (moves) await appendRoleHistory(tx, { ...role, parent_role_id: payload.parent_role_id ?? null }, { approval_id });
    const { name, description, parent_role_id } = role;
    tx.audit({
      event: 'role.update',
      action: moves ? 'permission_change' : 'update',
      resource_type: 'role',
      resource_id: role.id,
      old_values: { name, description, parent_role_id },
      new_values: { ...changes, approval_id },
    });
    return { role_id: role.id, version: role.version + 1, name, description, parent_role_id };
  },
  undo: ({ role_id }, { version, name, description, parent_role_id }) => ({
    action: 'role.update',
    payload: {
      role_id,
      version: version ?? 1,
      name: name ?? '',
      description: description ?? '',
      parent_role_id: parent_role_id ?? null,
    },
  }),
});

async function assertUpdatable(tx: Tx, { role_id, version, ...changes }: Payload) {
  const role = await assertOwnRole(tx, role_id, version);
  assertChanges(role, changes, 'role');
  const { parent_role_id } = changes;
  const moves = parent_role_id !== undefined && parent_role_id !== role.parent_role_id;
  const coarse_role = moves ? await assertMovable(tx, role, parent_role_id) : role.coarse_role;
  return { role, moves, coarse_role };
}
