import { z } from 'zod';
import { can } from '../../domain/identity/access.ts';
import { agentModules } from '../../domain/identity/agent-module.ts';
import { allPermissions, permissionCatalogue } from '../../domain/identity/permissions.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { query } from '../../entities/kysely-schema.ts';
import { effectiveRights, activeRoles } from '../../services/identity/active-role.queries.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';

const permissionName = z.enum(allPermissions as [Permission, ...Permission[]]);

const getRbacRoles = route({
  operationId: 'getRbacRoles',
  method: 'get',
  path: '/rbac/roles',
  aliases: ['/api/v1/rbac/roles'],
  tag: 'rbac',
  summary: 'All roles this tenant can give',
  permission: 'role:read',
  gate: 'none',
  responses: {
    200: z.array(
      z
        .object({
          id: z.uuid(),
          code: z.string(),
          name: z.string(),
          description: z.string(),
          is_system_role: z.boolean(),
        })
        .meta({ id: 'RbacRole' }),
    ),
  },
  handler: ({ read }) =>
    read(
      query
        .selectFrom('admin_roles')
        .where('deleted_at', 'is', null)
        .orderBy('is_system_role', 'desc')
        .orderBy('name')
        .select(['id', 'code', 'name', 'description', 'is_system_role']),
    ),
});

const getRbacPermissions = route({
  operationId: 'getRbacPermissions',
  method: 'get',
  path: '/rbac/permissions',
  aliases: ['/api/v1/rbac/permissions'],
  tag: 'rbac',
  summary: 'The permission catalogue, with what the caller holds',
  permission: 'authenticated',
  gate: 'none',
  responses: {
    200: z.array(
      z
        .object({ permission: permissionName, description: z.string(), held: z.boolean() })
        .meta({ id: 'RbacPermission' }),
    ),
  },
  handler: async ({ actor }) =>
    allPermissions.map((permission) => ({
      permission,
      description: permissionCatalogue[permission],
      held: actor.permissions.includes(permission),
    })),
});

const checkPermission = route({
  operationId: 'checkPermission',
  method: 'post',
  path: '/rbac/check-permission',
  aliases: ['/api/v1/rbac/check-permission'],
  tag: 'rbac',
  summary: 'May they? With the rule that decides',
  description: 'About oneself, or about another person of the tenant for callers who may read users.',
  permission: 'authenticated',
  gate: 'none',
  body: z
    .strictObject({
      user_id: z.uuid().optional().describe('Defaults to the caller'),
      permission: permissionName.optional(),
      agent_module: z
        .strictObject({ name: z.enum(agentModules), action: z.enum(['create', 'read', 'update', 'delete']) })
        .optional(),
    })
    .refine((body) => (body.permission === undefined) !== (body.agent_module === undefined), {
      message: 'Give either permission or agent_module.',
      path: ['permission'],
    }),
  responses: { 200: z.object({ allowed: z.boolean(), rule: z.string().describe('The rule that decided') }) },
  problems: ['resource.not-found'],
  idempotency: false,
  handler: async ({ actor, body, read, deps }) => {
    const userId = body.user_id ?? actor.user_id;
    if (userId !== actor.user_id && !actor.permissions.includes('user:read')) {
      throw new Problem({ code: 'auth.forbidden', detail: 'This needs the permission user:read.' });
    }
    const subject = userId === actor.user_id ? actor : await rightsOf(read, userId ?? '');
    const grants =
      body.agent_module === undefined
        ? []
        : await read(
            query
              .selectFrom('user_agent_permissions')
              .where('user_id', '=', userId)
              .select(['agent_name', 'can_create', 'can_read', 'can_update', 'can_delete', 'expires_at']),
          );
    const resource =
      body.agent_module === undefined ? {} : { agent_module: body.agent_module, module_grants: grants };
    return can(subject, body.permission ?? null, resource, deps.now());
  },
});

type Read = HandlerContext<unknown, unknown, unknown>['read'];

async function rightsOf(read: Read, userId: string) {
  const [known] = await read(query.selectFrom('users').where('id', '=', userId).select('status'));
  if (known === undefined) throw notFound('user');
  if (known.status !== 'active') return { roles: [], permissions: [] };
  return effectiveRights(await read(activeRoles().where('a.user_id', '=', userId)));
}

export const rbacRoutes = [getRbacRoles, getRbacPermissions, checkPermission];
