import { z } from 'zod';
import { idParams, uuid } from '../../platform/value-schemas.ts';
import { roleCreate, roleCreatePayload } from '../../services/identity/role/role-create.action.ts';
import { roleDelete } from '../../services/identity/role/role-delete.action.ts';
import { roleChange, roleUpdate } from '../../services/identity/role/role-update.action.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { notFound } from '../../platform/problem.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { rolesWithRights } from '../../services/identity/role/role.queries.ts';
import { roleView } from './role.schemas.ts';
import { reply, route } from '../http/route.ts';

/** One role with its entity tag. */
async function presentRole(db: ReadSource, scope: ReadScope, id: string, status: 200 | 201 = 200) {
  const role = (await rolesWithRights(db, scope)).find((one) => one.id === id);
  if (role === undefined) throw notFound('role');
  return reply(status, role, { etag: versionEtag(role.version) });
}

const getRoles = route({
  operationId: 'getRoles',
  method: 'get',
  path: '/admin/roles',
  tag: 'role',
  summary: 'Roles of the tenant with hierarchy and effective permissions',
  permission: 'role:read',
  gate: 'none',
  responses: { 200: z.object({ items: z.array(roleView) }) },
  handler: async ({ deps, scope }) => ({ items: await rolesWithRights(deps.db, scope) }),
});

const getRole = route({
  operationId: 'getRole',
  method: 'get',
  path: '/admin/roles/:id',
  tag: 'role',
  summary: 'One role with its effective permissions',
  permission: 'role:read',
  gate: 'none',
  params: idParams,
  responses: { 200: roleView },
  problems: ['resource.not-found'],
  handler: ({ params, deps, scope }) => presentRole(deps.db, scope, params.id),
});

const createRole = route({
  operationId: 'createRole',
  method: 'post',
  path: '/admin/roles',
  tag: 'role',
  summary: 'Create a role of the tenant',
  permission: 'role:manage',
  gate: { action: roleCreate.name, payload: ({ body }) => body },
  body: roleCreatePayload,
  responses: { 201: roleView, 202: ApprovalBody },
  problems: ['resource.conflict', 'role.grant-exceeds-own', 'role.immutable', 'resource.not-found'],
  handler: async (context) => {
    const { body, scope } = context;
    return context.change(async (tx) => {
      const { role_id } = await runGatedAction(tx, context, roleCreate.prepare(body));
      const id = uuid.parse(role_id);
      return presentRole(tx, scope, id, 201);
    });
  },
});

const updateRole = route({
  operationId: 'updateRole',
  method: 'put',
  path: '/admin/roles/:id',
  tag: 'role',
  summary: 'Change name, description or parent of a tenant role',
  permission: 'role:manage',
  gate: {
    action: roleUpdate.name,
    payload: ({ params, body }, { ifMatch }) => ({ role_id: params.id, version: expectedVersion(ifMatch), ...body }),
  },
  requiresIfMatch: true,
  params: idParams,
  body: roleChange
    .refine((body) => Object.keys(body).length > 0, { message: 'Change something.' })
    .meta({ id: 'RoleUpdate' }),
  responses: { 200: roleView, 202: ApprovalBody },
  problems: [
    'resource.not-found',
    'resource.version-mismatch',
    'role.cycle',
    'role.immutable',
    'role.grant-exceeds-own',
    'role.own-rights',
  ],
  handler: async (context) => {
    const { params, body, request, scope } = context;
    const version = expectedVersion(request.ifMatch);
    return context.change(async (tx) => {
      await runGatedAction(tx, context, roleUpdate.prepare({ role_id: params.id, version, ...body }));
      return presentRole(tx, scope, params.id);
    });
  },
});

const deleteRole = route({
  operationId: 'deleteRole',
  method: 'delete',
  path: '/admin/roles/:id',
  tag: 'role',
  summary: 'Remove a tenant role that is not assigned to anyone',
  permission: 'role:manage',
  gate: {
    action: roleDelete.name,
    payload: ({ params }, { ifMatch }) => ({ role_id: params.id, version: expectedVersion(ifMatch) }),
  },
  requiresIfMatch: true,
  params: idParams,
  responses: { 204: null, 202: ApprovalBody },
  problems: ['resource.not-found', 'resource.version-mismatch', 'role.immutable', 'role.in-use'],
  handler: async (context) => {
    const { params, request } = context;
    return context.change(async (tx) => {
      await runGatedAction(tx, context, roleDelete.prepare({ role_id: params.id, version: expectedVersion(request.ifMatch) }));
      return reply(204);
    });
  },
});

export const roleRoutes = [getRoles, getRole, createRole, updateRole, deleteRole];
