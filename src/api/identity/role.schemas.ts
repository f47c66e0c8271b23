import { z } from 'zod';
import { allPermissions } from '../../domain/identity/permissions.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';

/** Names of the catalogue, as answers list them. */
export const permissionNames = z.array(z.enum(allPermissions as [Permission, ...Permission[]]));

/** A role of the tenant as it is shown. */
export const roleView = z
  .object({
    id: uuid,
    code: z.string(),
    name: z.string(),
    description: z.string(),
    is_system_role: z.boolean(),
    parent_role_id: uuid.nullable(),
    ancestors: z.array(z.string()).describe('Codes of the roles it inherits from, nearest first'),
    coarse_role: z.enum(['sysadmin', 'admin', 'user']),
    permissions: permissionNames.describe('Its own permissions, without inherited ones'),
    effective_permissions: permissionNames.describe('Including inherited permissions'),
    version: z.number().int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Role' });

/** What a role gives, by where it comes from. */
export const rolePermissionMatrix = z
  .object({
    role_id: uuid,
    code: z.string(),
    is_immutable: z.boolean(),
    permissions: permissionNames.describe('Own permissions of the role'),
    inherited_permissions: permissionNames.describe('Permissions inherited from its ancestors'),
    effective_permissions: permissionNames,
    version: z.number().int(),
  })
  .meta({ id: 'RolePermissions' });
