import { z } from 'zod';
import { rolesQuery } from '../../services/identity/role.repository.ts';
import { allPermissions } from '../../domain/identity/permissions.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { lineOfRole, rightsOfRoles, roleMap } from '../../domain/identity/role-hierarchy.ts';
import { superAdminCode } from '../../domain/identity/system-roles.ts';
import { notFound } from '../../platform/problem.ts';
import { versionEtag } from '../../platform/row-version.ts';
import { reply } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { timestamp } from '../../platform/value-schemas.ts';

/** Names of the catalogue, as answers list them. */
export const permissionNames = z.array(z.enum(allPermissions as [Permission, ...Permission[]]));

/** A role of the tenant as it is shown. */
export const roleView = z
  .object({
    id: z.uuid(),
    code: z.string(),
    name: z.string(),
    description: z.string(),
    is_system_role: z.boolean(),
    parent_role_id: z.uuid().nullable(),
    ancestors: z.array(z.string()).describe('Codes of the roles it inherits from, nearest first'),
    coarse_role: z.enum(['sysadmin', 'admin', 'user']),
    permissions: permissionNames.describe('What it gives itself'),
    effective_permissions: permissionNames.describe('With what it inherits'),
    version: z.number().int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Role' });

/** How a handler reads; see `HandlerContext`. */
type Read = HandlerContext<unknown, unknown, unknown>['read'];

/** All roles of the tenant as they are shown: hierarchy and effective permissions need all of them. */
export async function readRoles(read: Read) {
  const rows = await read(rolesQuery().orderBy('r.is_system_role', 'desc').orderBy('r.name'));
  const roles = roleMap(rows);
  return rows.map((row) => {
    const effective = rightsOfRoles(roles, [row.id]).permissions;
    return {
      ...row,
      permissions:
        row.code === superAdminCode ? effective : allPermissions.filter((one) => row.permissions.includes(one)),
      ancestors: lineOfRole(roles, row.id).slice(1).map(({ code }) => code),
      effective_permissions: effective,
    };
  });
}

/** One role with its entity tag. */
export async function showRole(read: Read, id: string, status = 200, headers: Record<string, string> = {}) {
  const role = (await readRoles(read)).find((one) => one.id === id);
  if (role === undefined) throw notFound('role');
  return reply(status, role, { etag: versionEtag(role.version), ...headers });
}
