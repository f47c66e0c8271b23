import { sql } from 'kysely';
import { z } from 'zod';
import { lockRights, ownRights, refuseBeyondOwn } from '../../actions/rights.ts';
import { loadRoles, rememberRole, requireRole } from '../../actions/role-store.ts';
import { permissionSet } from '../../actions/role-update-permissions.action.ts';
import { rightsOfRoles, wouldCycle } from '../../domain/role-hierarchy.ts';
import type { RoleNode } from '../../domain/role-hierarchy.ts';
import { superAdminCode } from '../../domain/system-roles.ts';
import { notLapsed } from '../../entities/living-roles.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/unit-of-work.ts';
import { expectedVersion, versionMismatch } from '../etag.ts';
import { reply, route } from '../route.ts';
import { readRoles, roleView, showRole } from '../role-view.ts';
import { idParams } from '../schemas.ts';

const getRoles = route({
  operationId: 'getRoles',
  method: 'get',
  path: '/admin/roles',
  tag: 'role',
  summary: 'Roles of the tenant with hierarchy and effective permissions',
  permission: 'role:read',
  gate: 'none',
  responses: { 200: z.object({ items: z.array(roleView) }) },
  handler: async ({ read }) => ({ items: await readRoles(read) }),
});

const roleText = {
  name: z.string().trim().min(1).max(100),
  description: z.string().trim().max(500),
  parent_role_id: z.uuid().nullable(),
};

const createRole = route({
  operationId: 'createRole',
  method: 'post',
  path: '/admin/roles',
  tag: 'role',
  summary: 'Create a role of the tenant',
  permission: 'role:manage',
  gate: 'mfa',
  body: z
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
    .meta({ id: 'RoleCreation' }),
  responses: { 201: roleView },
  problems: ['resource.conflict', 'role.grant-exceeds-own', 'role.immutable', 'resource.not-found'],
  handler: async ({ body, read, unitOfWork }) => {
    const id = await unitOfWork(async (tx) => {
      await lockRights(tx);
      const parent = await requireParent(tx, body.parent_role_id);
      await refuseBeyondOwn(tx, [...body.permissions, ...parent.permissions]);
      const role = await tx.sql
        .insertInto('admin_roles')
        .values({ ...body, tenant_id: tx.actor.tenant_id, is_system_role: false, coarse_role: parent.coarse_role })
        .returning(['id', 'permissions', 'parent_role_id'])
        .executeTakeFirstOrThrow();
      await rememberRole(tx, role, { approval_id: null });
      tx.audit({
        event: 'role.create',
        action: 'create',
        resource_type: 'role',
        resource_id: role.id,
        new_values: body,
      });
      return role.id;
    });
    return showRole(read, id, 201, { location: `/admin/roles/${id}` });
  },
});

/** What a role inherits from a parent. The super admin has no heirs: whoever is one is given that very role. */
async function requireParent(tx: Tx, parentId: string | null) {
  if (parentId === null) return { permissions: [], coarse_role: 'user' as const };
  const parent = await requireRole(tx, parentId);
  const { roles, permissions } = rightsOfRoles(await loadRoles(tx), [parentId]);
  if (roles.includes(superAdminCode)) {
    throw new Problem({ code: 'role.immutable', detail: 'No role inherits from the super admin.' });
  }
  return { permissions, coarse_role: parent.coarse_role };
}

/** A role that the tenant made itself, at the version that the caller has seen. */
async function requireOwnRole(tx: Tx, id: string, ifMatch: string | null) {
  await lockRights(tx);
  const role = await requireRole(tx, id);
  if (role.is_system_role) throw new Problem({ code: 'role.immutable', detail: 'System roles keep name and place.' });
  if (role.version !== expectedVersion(ifMatch)) throw versionMismatch(role.version);
  return role;
}

const updateRole = route({
  operationId: 'updateRole',
  method: 'put',
  path: '/admin/roles/:id',
  tag: 'role',
  summary: 'Change name, description or parent of a tenant role',
  permission: 'role:manage',
  gate: 'mfa',
  requiresIfMatch: true,
  params: idParams,
  body: z
    .strictObject({
      name: roleText.name.optional(),
      description: roleText.description.optional(),
      parent_role_id: roleText.parent_role_id.optional(),
    })
    .refine((body) => Object.keys(body).length > 0, { message: 'Change something.' })
    .meta({ id: 'RoleUpdate' }),
  responses: { 200: roleView },
  problems: [
    'resource.not-found',
    'resource.version-mismatch',
    'role.cycle',
    'role.immutable',
    'role.grant-exceeds-own',
    'role.own-rights',
  ],
  handler: async ({ params, body, request, read, unitOfWork }) => {
    await unitOfWork(async (tx) => {
      const role = await requireOwnRole(tx, params.id, request.ifMatch);
      const moves = body.parent_role_id !== undefined && body.parent_role_id !== role.parent_role_id;
      const coarse_role = moves ? await requireMovable(tx, role, body.parent_role_id ?? null) : role.coarse_role;
      await tx.sql
        .updateTable('admin_roles')
        .set((eb) => ({ ...body, coarse_role, version: eb('version', '+', 1), updated_at: sql<string>`now()` }))
        .where('id', '=', role.id)
        .execute();
      if (moves) {
        await rememberRole(tx, { ...role, parent_role_id: body.parent_role_id ?? null }, { approval_id: null });
      }
      const { name, description, parent_role_id } = role;
      tx.audit({
        event: 'role.update',
        action: moves ? 'permission_change' : 'update',
        resource_type: 'role',
        resource_id: role.id,
        old_values: { name, description, parent_role_id },
        new_values: body,
      });
    });
    return showRole(read, params.id);
  },
});

/** A new parent gives and takes permissions, so the same rules hold as for the matrix. @returns the coarse role. */
async function requireMovable(
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
  const parent = await requireParent(tx, parentId);
  const before = role.parent_role_id === null ? [] : rightsOfRoles(roles, [role.parent_role_id]).permissions;
  await refuseBeyondOwn(tx, [...parent.permissions, ...before]);
  return parent.coarse_role;
}

const deleteRole = route({
  operationId: 'deleteRole',
  method: 'delete',
  path: '/admin/roles/:id',
  tag: 'role',
  summary: 'Remove a tenant role that nobody holds',
  permission: 'role:manage',
  gate: 'mfa',
  requiresIfMatch: true,
  params: idParams,
  responses: { 204: null },
  problems: ['resource.not-found', 'resource.version-mismatch', 'role.immutable', 'role.in-use'],
  handler: async ({ params, request, unitOfWork }) => {
    await unitOfWork(async (tx) => {
      const role = await requireOwnRole(tx, params.id, request.ifMatch);
      await refuseInUse(tx, role.id);
      await tx.sql
        .updateTable('admin_roles')
        .set((eb) => ({ deleted_at: sql<string>`now()`, version: eb('version', '+', 1) }))
        .where('id', '=', role.id)
        .execute();
      tx.invalidate({ kind: 'tenant-roles', key: tx.actor.tenant_id });
      const { code, name, permissions } = role;
      tx.audit({
        event: 'role.delete',
        action: 'delete',
        resource_type: 'role',
        resource_id: role.id,
        old_values: { code, name, permissions },
      });
    });
    return reply(204);
  },
});

/** @throws Problem `role.in-use` while somebody holds the role or another role inherits from it. */
async function refuseInUse(tx: Tx, id: string): Promise<void> {
  const holder = await tx.sql
    .selectFrom('admin_role_assignments as a')
    .where('a.role_id', '=', id)
    .where('a.revoked_at', 'is', null)
    .where(notLapsed)
    .select('a.id')
    .executeTakeFirst();
  const child = await tx.sql
    .selectFrom('admin_roles')
    .where('parent_role_id', '=', id)
    .where('deleted_at', 'is', null)
    .select('id')
    .executeTakeFirst();
  if (holder === undefined && child === undefined) return;
  throw new Problem({
    code: 'role.in-use',
    detail: holder === undefined ? 'Another role inherits from it.' : 'Somebody holds it; take it from them first.',
  });
}

export const roleRoutes = [getRoles, createRole, updateRole, deleteRole];
