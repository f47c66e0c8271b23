import { z } from 'zod';
import { idParams, reasonText } from '../../platform/value-schemas.ts';
import { permissionSet, roleUpdatePermissions } from '../../services/identity/role/role-update-permissions.action.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { superAdminCode } from '../../domain/identity/system-roles.ts';
import { notFound } from '../../platform/problem.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { rolesWithRights } from '../../services/identity/role/role.queries.ts';
import { rolePermissionMatrix } from './role.schemas.ts';
import { reply, route } from '../http/route.ts';

/** The permission matrix of a role with its entity tag. */
async function presentMatrix(db: ReadSource, scope: ReadScope, id: string) {
  const roles = await rolesWithRights(db, scope);
  const role = roles.find((one) => one.id === id);
  if (role === undefined) throw notFound('role');
  const parent = roles.find((one) => one.id === role.parent_role_id);
  const body = {
    ...role,
    role_id: id,
    is_immutable: role.code === superAdminCode,
    inherited_permissions: parent?.effective_permissions ?? [],
  };
  return reply(200, body, { etag: versionEtag(role.version) });
}

const getRolePermissions = route({
  operationId: 'getRolePermissions',
  method: 'get',
  path: '/admin/roles/:id/permissions',
  tag: 'role',
  summary: 'Permission matrix of a role in this tenant',
  permission: 'role:read',
  gate: 'none',
  params: idParams,
  responses: { 200: rolePermissionMatrix },
  problems: ['resource.not-found'],
  handler: ({ params, deps, scope }) => presentMatrix(deps.db, scope, params.id),
});

const updateRolePermissions = route({
  operationId: 'updateRolePermissions',
  method: 'put',
  path: '/admin/roles/:id/permissions',
  tag: 'role',
  summary: 'Change the permissions of a role in this tenant',
  permission: 'role:manage',
  gate: {
    action: roleUpdatePermissions.name,
    payload: ({ params, body }, { ifMatch }) => ({ role_id: params.id, version: expectedVersion(ifMatch), ...body }),
  },
  requiresIfMatch: true,
  params: idParams,
  body: z
    .strictObject({ permissions: permissionSet, reason: reasonText.nullable().default(null) })
    .meta({ id: 'RolePermissionsUpdate' }),
  responses: { 200: rolePermissionMatrix, 202: ApprovalBody },
  problems: [
    'resource.not-found',
    'resource.version-mismatch',
    'role.immutable',
    'role.grant-exceeds-own',
    'role.own-rights',
  ],
  handler: async (context) => {
    const { params, body, request, scope } = context;
    const version = expectedVersion(request.ifMatch);
    return context.change(async (tx) => {
      await runGatedAction(tx, context, roleUpdatePermissions.prepare({ role_id: params.id, version, ...body }));
      return presentMatrix(tx, scope, params.id);
    });
  },
});

export const rolePermissionRoutes = [getRolePermissions, updateRolePermissions];
