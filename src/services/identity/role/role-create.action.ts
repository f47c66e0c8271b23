import { z } from 'zod';
import { taken } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { lineText, proseText, uuid } from '../../../platform/value-schemas.ts';
import { defineAction } from '../../actions/action.ts';
import { dependsOnRights, gateOfRights } from './decider-gate.ts';
import { rightsWith, roleRights } from './role-rights.queries.ts';
import { roleTexts } from './role-texts.queries.ts';
import { lockRights, assertWithinOwnRights } from './effective-rights.service.ts';
import { assertParent } from './role-hierarchy.service.ts';
import { appendRoleHistory } from './role.repository.ts';
import { permissionSet } from './role-update-permissions.action.ts';

/** What people may write of a role. */
export const roleText = {
  name: lineText(100),
  description: proseText(500, 0),
  parent_role_id: uuid.nullable(),
};

export const roleCreatePayload = z
  .strictObject({
    code: z
      .string()
      .regex(/^[a-z][a-z0-9-]{1,62}$/, 'must be lower case letters, digits and dashes')
      .refine((code) => !code.startsWith('role-'), 'codes of system roles start with role-'),
    name: roleText.name,
    description: roleText.description.default(''),
    parent_role_id: roleText.parent_role_id.default(null),
    permissions: permissionSet,
  })
  .meta({ id: 'RoleCreation' });

type Payload = z.output<typeof roleCreatePayload>;

/** Creates a role of the tenant. Nobody gives it a permission, or lets it inherit one, that they do not hold (S2-71). */
export const roleCreate = defineAction({
  name: 'role.create',
  title: 'Create a role',
  permission: 'role:manage',
  payload: roleCreatePayload,
  environment: () => null,
  floor: () => 'mfa',
  demands: {
    depends_on: dependsOnRights,
    gate: async (db, scope, { permissions, parent_role_id }) => {
      const parent = parent_role_id === null ? undefined : await roleRights(db, scope, parent_role_id);
      const after = [...permissions, ...(parent === undefined ? [] : rightsWith(parent))];
      return gateOfRights(db, scope, { before: null, after, decides: false });
    },
  },
  reason: () => null,
  describe: ({ code, permissions, parent_role_id }) =>
    `Create the role '${code}' with these permissions of its own: ${permissions.join(', ') || 'none'}` +
    (parent_role_id === null ? '.' : `, inheriting from the role ${parent_role_id}.`),
  present: async (db, scope, { code, name, permissions, parent_role_id }) => {
    const [parent] = parent_role_id === null ? [null] : await roleTexts(db, scope, [parent_role_id]);
    return {
      description: `Create the role ${name} (${code})` + (parent === null ? '.' : `, inheriting from ${parent}.`),
      changes: [
        { field: 'permissions', before: null, after: [...permissions] },
        { field: 'parent role', before: null, after: parent ?? null },
      ],
    };
  },
  check: async (tx, payload) => {
    await assertCreatable(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const { coarse_role } = await assertCreatable(tx, payload);
    const approval_id = authority.kind === 'approval' ? authority.approval_id : null;
    const role = await tx.sql
      .insertInto('admin_roles')
      .values({ ...payload, tenant_id: tx.actor.tenant_id, is_system_role: false, coarse_role })
      .returning(['id', 'permissions', 'parent_role_id'])
      .executeTakeFirstOrThrow();
    await appendRoleHistory(tx, role, { approval_id });
    tx.audit({
      event: 'role.create',
      action: 'create',
      resource_type: 'role',
      resource_id: role.id,
      new_values: { ...payload, approval_id },
    });
    return { role_id: role.id };
  },
  undo: () => null,
});

/** @returns the parent, whose coarse role the new one takes. */
async function assertCreatable(tx: Tx, { code, permissions, parent_role_id }: Payload) {
  await lockRights(tx);
  const parent = await assertParent(tx, parent_role_id);
  await assertWithinOwnRights(tx, [...permissions, ...parent.permissions]);
  const other = await tx.sql
    .selectFrom('admin_roles')
    .where('code', '=', code)
    .where('deleted_at', 'is', null)
    .select('id')
    .executeTakeFirst();
  if (other === undefined) return parent;
  throw taken('code', 'There is a role with this code already.');
}
