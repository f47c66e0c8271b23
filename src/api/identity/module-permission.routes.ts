import { z } from 'zod';
import { softwareModules } from '../../domain/identity/module-permission.ts';
import {
  listModulePermissions,
  modulePermission,
  modulePermissions,
} from '../../services/identity/role/module-permission.queries.ts';
import {
  extendModulePermission,
  grantModulePermission,
  replaceModulePermission,
  revokeModulePermission,
} from '../../services/identity/role/module-permission.service.ts';
import { pageOf } from '../../platform/database/keyset-page.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { idParams, uuid } from '../../platform/value-schemas.ts';
import { reply, route } from '../http/route.ts';
import {
  listedModulePermission,
  modulePermissionCreation,
  modulePermissionExtension,
  modulePermissionQuery,
  modulePermissionValues,
  modulePermissionView,
} from './module-permission.schemas.ts';

const moduleParams = z.object({ id: uuid, agent: z.enum(softwareModules) });

/** How a decision on a permission is refused. */
const refusals = ['resource.not-found', 'role.own-rights', 'user.exceeds-own'] as const;

const getAllModulePermissions = route({
  operationId: 'getAllAgentPermissions',
  method: 'get',
  path: '/api/v1/agent-permissions',
  tag: 'user_agent_permission',
  summary: 'Module permissions of all users',
  description: 'Newest first; with the state `expiring` or `expired` by their ends, the last one first.',
  permission: 'agent-permission:read',
  gate: 'none',
  query: modulePermissionQuery,
  responses: { 200: pageOf(listedModulePermission) },
  handler: ({ query, deps, scope }) => listModulePermissions(deps.db, scope, query),
});

const getModulePermissions = route({
  operationId: 'getAgentPermissions',
  method: 'get',
  path: '/api/v1/users/:id/agent-permissions',
  tag: 'user_agent_permission',
  summary: 'Module permissions of a user',
  permission: 'agent-permission:read',
  gate: 'none',
  params: idParams,
  responses: { 200: z.object({ items: z.array(modulePermissionView) }) },
  problems: ['resource.not-found'],
  handler: async ({ params, deps, scope }) => ({ items: await modulePermissions(deps.db, scope, params.id) }),
});

const createModulePermission = route({
  operationId: 'createAgentPermission',
  method: 'post',
  path: '/api/v1/users/:id/agent-permissions',
  tag: 'user_agent_permission',
  summary: 'Grant a user permissions in a module, optionally with an end',
  permission: 'agent-permission:manage',
  gate: 'mfa',
  params: idParams,
  body: modulePermissionCreation,
  responses: { 201: modulePermissionView },
  problems: [...refusals, 'resource.conflict', 'role.grant-exceeds-own'],
  handler: ({ params, body, change, deps }) =>
    change(async (tx) => {
      const granted = await grantModulePermission(tx, params.id, body, deps.now());
      const location = `/api/v1/users/${params.id}/agent-permissions/${granted.agent_name}`;
      return reply(201, granted, { etag: versionEtag(granted.version), location });
    }),
});

const getModulePermission = route({
  operationId: 'getAgentPermission',
  method: 'get',
  path: '/api/v1/users/:id/agent-permissions/:agent',
  tag: 'user_agent_permission',
  summary: 'Permissions of a user in one module',
  permission: 'agent-permission:read',
  gate: 'none',
  params: moduleParams,
  responses: { 200: modulePermissionView },
  problems: ['resource.not-found'],
  handler: async ({ params, deps, scope }) => {
    const permission = await modulePermission(deps.db, scope, params.id, params.agent);
    return reply(200, permission, { etag: versionEtag(permission.version) });
  },
});

const updateModulePermission = route({
  operationId: 'updateAgentPermission',
  method: 'put',
  path: '/api/v1/users/:id/agent-permissions/:agent',
  tag: 'user_agent_permission',
  summary: 'Replace the permissions of a user in a module',
  permission: 'agent-permission:manage',
  gate: 'mfa',
  requiresIfMatch: true,
  params: moduleParams,
  body: modulePermissionValues,
  responses: { 200: modulePermissionView },
  problems: [...refusals, 'resource.version-mismatch', 'role.grant-exceeds-own'],
  handler: async ({ params, body, request, change, deps }) => {
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      const updated = await replaceModulePermission(tx, params.id, params.agent, version, body, deps.now());
      return reply(200, updated, { etag: versionEtag(updated.version) });
    });
  },
});

const extendPermission = route({
  operationId: 'extendAgentPermission',
  method: 'post',
  path: '/api/v1/users/:id/agent-permissions/:agent/extend',
  tag: 'user_agent_permission',
  summary: 'Let the permissions of a user in a module end later, or never; expired ones are in force again',
  permission: 'agent-permission:manage',
  gate: 'mfa',
  requiresIfMatch: true,
  params: moduleParams,
  body: modulePermissionExtension,
  responses: { 200: modulePermissionView },
  problems: [...refusals, 'resource.version-mismatch', 'role.grant-exceeds-own'],
  handler: async ({ params, body, request, change, deps }) => {
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      const extended = await extendModulePermission(tx, params.id, params.agent, version, body.expires_at, deps.now());
      return reply(200, extended, { etag: versionEtag(extended.version) });
    });
  },
});

const deleteModulePermission = route({
  operationId: 'deleteAgentPermission',
  method: 'delete',
  path: '/api/v1/users/:id/agent-permissions/:agent',
  tag: 'user_agent_permission',
  summary: 'Remove the permissions of a user in a module',
  permission: 'agent-permission:manage',
  gate: 'mfa',
  params: moduleParams,
  responses: { 204: null },
  problems: refusals,
  handler: ({ params, change, deps }) =>
    change(async (tx) => {
      await revokeModulePermission(tx, params.id, params.agent, deps.now());
      return reply(204);
    }),
});

export const modulePermissionRoutes = [
  getAllModulePermissions,
  getModulePermissions,
  createModulePermission,
  getModulePermission,
  updateModulePermission,
  extendPermission,
  deleteModulePermission,
];
