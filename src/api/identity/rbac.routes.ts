import { z } from 'zod';
import { can } from '../../domain/identity/access.ts';
import { decideAccess } from '../../services/assignment/index.ts';
import { moduleActionOf, softwareModules } from '../../domain/identity/module-permission.ts';
import { allPermissions, permissionCatalogue } from '../../domain/identity/permissions.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { readRights } from '../../services/identity/role/active-role.queries.ts';
import { decideModuleAccess } from '../../services/identity/role/module-access.service.ts';
import { moduleGrants } from '../../services/identity/role/module-permission.queries.ts';
import { roleNames } from '../../services/identity/role/role.queries.ts';
import { Problem } from '../../platform/problem.ts';
import { route } from '../http/route.ts';
import { uuid } from '../../platform/value-schemas.ts';

const permissionName = z.enum(allPermissions as [Permission, ...Permission[]]);

const getRbacRoles = route({
  operationId: 'getRbacRoles',
  method: 'get',
  path: '/rbac/roles',
  aliases: ['/api/v1/rbac/roles'],
  tag: 'rbac',
  summary: 'All roles that this tenant can assign',
  permission: 'role:read',
  gate: 'none',
  responses: {
    200: z.array(
      z
        .object({
          id: uuid,
          code: z.string(),
          name: z.string(),
          description: z.string(),
          is_system_role: z.boolean(),
        })
        .meta({ id: 'RbacRole' }),
    ),
  },
  handler: ({ deps, scope }) => roleNames(deps.db, scope),
});

const getRbacPermissions = route({
  operationId: 'getRbacPermissions',
  method: 'get',
  path: '/rbac/permissions',
  aliases: ['/api/v1/rbac/permissions'],
  tag: 'rbac',
  summary: 'The permission catalogue, with the permissions that the caller holds by roles and module permissions',
  permission: 'authenticated',
  gate: 'none',
  responses: {
    200: z.array(
      z
        .object({ permission: permissionName, description: z.string(), held: z.boolean() })
        .meta({ id: 'RbacPermission' }),
    ),
  },
  handler: async ({ actor, deps, scope }) => {
    const grants = await moduleGrants(deps.db, scope, actor.user_id);
    const isHeld = (permission: Permission) => {
      const module = moduleActionOf(permission);
      if (module === undefined) return actor.permissions.includes(permission);
      return can(actor, permission, { type: 'module', ...module, grants }, deps.now()).allowed;
    };
    return allPermissions.map((permission) => ({
      permission,
      description: permissionCatalogue[permission],
      held: isHeld(permission),
    }));
  },
});

const checkPermission = route({
  operationId: 'checkPermission',
  method: 'post',
  path: '/rbac/check-permission',
  aliases: ['/api/v1/rbac/check-permission'],
  tag: 'rbac',
  summary: 'Check whether a user has a permission, and by which rule',
  description:
    'For the caller, or for another user of the tenant if the caller may read users. With a resource the answer is for it: ' +
    'campaign permissions and ownership count besides roles.',
  permission: 'authenticated',
  gate: 'none',
  body: z
    .strictObject({
      user_id: uuid.optional().describe('Defaults to the caller'),
      permission: permissionName.optional(),
      resource: z.strictObject({ type: z.enum(['campaign', 'contact']), id: uuid }).optional().describe('What it is about'),
      agent_module: z
        .strictObject({ name: z.enum(softwareModules), action: z.enum(['create', 'read', 'update', 'delete']) })
        .optional(),
    })
    .refine((body) => (body.permission === undefined) !== (body.agent_module === undefined), {
      message: 'Give either permission or agent_module.',
      path: ['permission'],
    })
    .refine(({ resource, permission }) => resource === undefined || permission !== undefined, {
      message: 'A resource goes with a permission.',
      path: ['resource'],
    }),
  responses: { 200: z.object({ allowed: z.boolean(), rule: z.string().describe('The rule that decided') }) },
  problems: ['resource.not-found'],
  idempotency: false,
  handler: async ({ actor, body, deps, scope }) => {
    const { user_id: userId = actor.user_id, permission = null, resource, agent_module: module } = body;
    if (userId !== actor.user_id && !actor.permissions.includes('user:read')) {
      throw new Problem({ code: 'auth.forbidden', detail: 'This needs the permission user:read.' });
    }
    const subject = userId === actor.user_id ? actor : await readRights(deps.db, scope, userId ?? '');
    // Memberships and grants outlast a deactivation, and give nothing meanwhile.
    if (subject === null) return { allowed: false, rule: 'user-inactive' };
    if (resource !== undefined && permission !== null) {
      return decideAccess(deps.db, scope, { ...subject, user_id: userId }, permission, resource);
    }
    if (permission !== null) return decideModuleAccess(deps.db, scope, { ...subject, user_id: userId }, permission);
    if (module === undefined) return can(subject, permission);
    const grants = await moduleGrants(deps.db, scope, userId);
    return can(subject, permission, { type: 'module', ...module, grants }, deps.now());
  },
});

export const rbacRoutes = [getRbacRoles, getRbacPermissions, checkPermission];
