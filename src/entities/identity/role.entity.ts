import type { SoftwareModule } from '../../domain/identity/module-permission.ts';
import type { CoarseRole } from '../../domain/identity/system-roles.ts';
import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, sharedPolicies, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/** A role; system roles belong to no tenant and are visible to all (S1-22, S1-60). */
export const AdminRoleEntity = defineEntity({
  name: 'AdminRole',
  tableName: 'admin_roles',
  rowLevelSecurity: 'force',
  policies: sharedPolicies,
  properties: {
    ...tenantColumns,
    tenant_id: p.uuid().nullable(),
    code: p.text(),
    name: p.text(),
    description: p.text().default(''),
    is_system_role: p.boolean().default(false),
    parent_role_id: p.uuid().nullable(),
    coarse_role: p.text().default('user').$type<CoarseRole>(),
    permissions: p.array().defaultRaw("'{}'"),
    ...versionedColumns,
    /** A deleted role stays for the ledger. */
    deleted_at: timestamp().nullable(),
  },
});

/**
 * What a role gave from a time on: one row a change, so that rights of the past can be computed. Rows without a tenant are
 * the defaults of system roles.
 */
export const AdminRoleHistoryEntity = defineEntity({
  name: 'AdminRoleHistory',
  tableName: 'admin_role_history',
  rowLevelSecurity: 'force',
  policies: sharedPolicies,
  properties: {
    ...tenantColumns,
    tenant_id: p.uuid().nullable(),
    role_id: p.uuid(),
    permissions: p.array(),
    parent_role_id: p.uuid().nullable(),
    changed_by: p.uuid().nullable(),
    approval_id: p.uuid().nullable(),
  },
});

/** A tenant's own permission matrix for a role; without a row the role's own permissions hold. */
export const AdminRolePermissionsEntity = defineEntity({
  name: 'AdminRolePermissions',
  tableName: 'admin_role_permissions',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    role_id: p.uuid(),
    permissions: p.array(),
    updated_by: p.uuid().nullable(),
    ...versionedColumns,
  },
});

/** The ledger of role assignments: who held which role, from when to when, assigned by whom (S2-13). */
export const AdminRoleAssignmentEntity = defineEntity({
  name: 'AdminRoleAssignment',
  tableName: 'admin_role_assignments',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    user_id: p.uuid(),
    role_id: p.uuid(),
    assigned_by: p.uuid().nullable(),
    approval_id: p.uuid().nullable(),
    reason: p.text().nullable(),
    assigned_at: timestamp().defaultRaw('now()'),
    valid_until: timestamp().nullable(),
    review_due_at: timestamp().nullable(),
    revoked_at: timestamp().nullable(),
    revoked_by: p.uuid().nullable(),
  },
});

/** What a person may do in a software module, optionally until a time (S4-3, S4-25, X-8). */
export const ModulePermissionEntity = defineEntity({
  name: 'ModulePermission',
  tableName: 'user_agent_permissions',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    user_id: p.uuid(),
    agent_name: p.text().$type<SoftwareModule>(),
    can_create: p.boolean().default(false),
    can_read: p.boolean().default(false),
    can_update: p.boolean().default(false),
    can_delete: p.boolean().default(false),
    granted_by: p.uuid().nullable(),
    expires_at: timestamp().nullable(),
    /** The end of which notice was given, or is not due: set with the end when that is too near, otherwise by the sweep. */
    noticed_end: timestamp().nullable(),
    /** The end that the audit log has as an expiry, as far as the row has outlived it. */
    recorded_end: timestamp().nullable(),
    ...versionedColumns,
  },
});
