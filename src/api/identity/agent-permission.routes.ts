import { sql } from 'kysely';
import { z } from 'zod';
import { assertNotSelf } from '../../services/identity/effective-rights.service.ts';
import { agentModules } from '../../domain/identity/agent-module.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { assertVersion, expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { reply, route } from '../http/route.ts';
import { idParams, moment, timestamp } from '../../platform/value-schemas.ts';

const rights = {
  can_create: z.boolean(),
  can_read: z.boolean(),
  can_update: z.boolean(),
  can_delete: z.boolean(),
};

const agentPermission = z
  .object({
    id: z.uuid(),
    user_id: z.uuid(),
    agent_name: z.enum(agentModules),
    ...rights,
    granted_by: z.uuid().nullable(),
    expires_at: timestamp.nullable(),
    is_expired: z.boolean().describe('Judged at this moment; an expired one gives nothing'),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.number().int(),
  })
  .meta({ id: 'AgentPermission' });

const columns = [
  'id',
  'user_id',
  'agent_name',
  'can_create',
  'can_read',
  'can_update',
  'can_delete',
  'granted_by',
  'expires_at',
  'created_at',
  'updated_at',
  'version',
] as const;

const isExpired = sql<boolean>`coalesce(expires_at <= now(), false)`.as('is_expired');

const moduleParams = z.object({ id: z.uuid(), agent: z.enum(agentModules) });

const grantBody = z
  .strictObject({
    can_create: rights.can_create.default(false),
    can_read: rights.can_read.default(false),
    can_update: rights.can_update.default(false),
    can_delete: rights.can_delete.default(false),
    expires_at: moment.nullable().default(null),
  })
  .meta({ id: 'AgentPermissionValues' });

const getAgentPermissions = route({
  operationId: 'getAgentPermissions',
  method: 'get',
  path: '/api/v1/users/:id/agent-permissions',
  tag: 'user_agent_permission',
  summary: 'What a person may do in the agent modules',
  permission: 'agent-permission:read',
  gate: 'none',
  params: idParams,
  responses: { 200: z.object({ items: z.array(agentPermission) }) },
  problems: ['resource.not-found'],
  handler: async ({ params, actor, deps }) => {
    const [known, items] = await readAll(deps.db, actor, [
      query.selectFrom('users').where('id', '=', params.id).select('id'),
      query
        .selectFrom('user_agent_permissions')
        .where('user_id', '=', params.id)
        .orderBy('agent_name')
        .select(columns)
        .select(isExpired),
    ] as const);
    if (known.length === 0) throw notFound('user');
    return { items };
  },
});

const createAgentPermission = route({
  operationId: 'createAgentPermission',
  method: 'post',
  path: '/api/v1/users/:id/agent-permissions',
  tag: 'user_agent_permission',
  summary: 'Let a person use an agent module, until a moment where wanted',
  permission: 'agent-permission:manage',
  gate: 'mfa',
  params: idParams,
  body: grantBody.extend({ agent_name: z.enum(agentModules) }).meta({ id: 'AgentPermissionCreation' }),
  responses: { 201: agentPermission },
  problems: ['resource.not-found', 'resource.conflict', 'role.own-rights'],
  handler: async ({ params, body, unitOfWork }) => {
    const created = await unitOfWork(async (tx) => {
      assertNotSelf(tx, params.id);
      const person = await tx.sql
        .selectFrom('users')
        .where('id', '=', params.id)
        .where('status', '<>', 'deleted')
        .select('id')
        .executeTakeFirst();
      if (person === undefined) throw notFound('user');
      const row = await tx.sql
        .insertInto('user_agent_permissions')
        .values({ ...body, tenant_id: tx.actor.tenant_id, user_id: params.id, granted_by: tx.actor.user_id })
        .returning(columns)
        .returning(isExpired)
        .executeTakeFirstOrThrow();
      tx.audit({
        event: 'agent-permission.grant',
        action: 'permission_change',
        resource_type: 'user_agent_permission',
        resource_id: row.id,
        new_values: { user_id: params.id, ...body },
      });
      return row;
    });
    const location = `/api/v1/users/${params.id}/agent-permissions/${created.agent_name}`;
    return reply(201, created, { etag: versionEtag(created.version), location });
  },
});

const getAgentPermission = route({
  operationId: 'getAgentPermission',
  method: 'get',
  path: '/api/v1/users/:id/agent-permissions/:agent',
  tag: 'user_agent_permission',
  summary: 'What a person may do in one agent module',
  permission: 'agent-permission:read',
  gate: 'none',
  params: moduleParams,
  responses: { 200: agentPermission },
  problems: ['resource.not-found'],
  handler: async ({ params, read }) => {
    const [row] = await read(
      query
        .selectFrom('user_agent_permissions')
        .where('user_id', '=', params.id)
        .where('agent_name', '=', params.agent)
        .select(columns)
        .select(isExpired),
    );
    if (row === undefined) throw notFound('agent permission');
    return reply(200, row, { etag: versionEtag(row.version) });
  },
});

const updateAgentPermission = route({
  operationId: 'updateAgentPermission',
  method: 'put',
  path: '/api/v1/users/:id/agent-permissions/:agent',
  tag: 'user_agent_permission',
  summary: 'Replace what a person may do in an agent module',
  permission: 'agent-permission:manage',
  gate: 'mfa',
  requiresIfMatch: true,
  params: moduleParams,
  body: grantBody,
  responses: { 200: agentPermission },
  problems: ['resource.not-found', 'resource.version-mismatch', 'role.own-rights'],
  handler: async ({ params, body, request, unitOfWork }) => {
    const version = expectedVersion(request.ifMatch);
    const saved = await unitOfWork(async (tx) => {
      assertNotSelf(tx, params.id);
      const before = await tx.sql
        .selectFrom('user_agent_permissions')
        .where('user_id', '=', params.id)
        .where('agent_name', '=', params.agent)
        .select(columns)
        .forUpdate()
        .executeTakeFirst();
      if (before === undefined) throw notFound('agent permission');
      assertVersion(before, version);
      tx.audit({
        event: 'agent-permission.update',
        action: 'permission_change',
        resource_type: 'user_agent_permission',
        resource_id: before.id,
        old_values: before,
        new_values: { user_id: params.id, ...body },
      });
      return tx.sql
        .updateTable('user_agent_permissions')
        .set({ ...body, granted_by: tx.actor.user_id, version: version + 1, updated_at: sql<string>`now()` })
        .where('id', '=', before.id)
        .returning(columns)
        .returning(isExpired)
        .executeTakeFirstOrThrow();
    });
    return reply(200, saved, { etag: versionEtag(saved.version) });
  },
});

const deleteAgentPermission = route({
  operationId: 'deleteAgentPermission',
  method: 'delete',
  path: '/api/v1/users/:id/agent-permissions/:agent',
  tag: 'user_agent_permission',
  summary: 'Take an agent module from a person',
  permission: 'agent-permission:manage',
  gate: 'mfa',
  params: moduleParams,
  responses: { 204: null },
  problems: ['resource.not-found', 'role.own-rights'],
  handler: async ({ params, unitOfWork }) => {
    await unitOfWork(async (tx) => {
      assertNotSelf(tx, params.id);
      const removed = await tx.sql
        .deleteFrom('user_agent_permissions')
        .where('user_id', '=', params.id)
        .where('agent_name', '=', params.agent)
        .returning(columns)
        .executeTakeFirst();
      if (removed === undefined) throw notFound('agent permission');
      tx.audit({
        event: 'agent-permission.revoke',
        action: 'permission_change',
        resource_type: 'user_agent_permission',
        resource_id: removed.id,
        old_values: removed,
      });
    });
    return reply(204);
  },
});

export const agentPermissionRoutes = [
  getAgentPermissions,
  createAgentPermission,
  getAgentPermission,
  updateAgentPermission,
  deleteAgentPermission,
];
