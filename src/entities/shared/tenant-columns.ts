import { defineEntity, p } from '@mikro-orm/postgresql';
import type { EntityManager } from '@mikro-orm/core';
import { now, timestamp } from './column-types.ts';

/** The tenant of the running transaction; NULL (and so no row) when none is set. */
export const currentTenantSql = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)";

/** Whose row it is. A created entity is the acting tenant's, which the unit of work has set; row-level security checks. */
export const tenantId = p.uuid().onCreate((_row, em: EntityManager) => em.getFilterParams<{ id: string }>('tenant').id);

/** Set when a row is made, by whatever makes it. */
export const createdAt = { created_at: timestamp().defaultRaw('now()').onCreate(now) };

/**
 * Columns that every business table starts with. A created entity has its values at once, so that nothing has to come back
 * from the database; its defaults serve typed SQL.
 */
export const tenantColumns = {
  id: p.uuid().primary().defaultRaw('gen_random_uuid()').onCreate(() => crypto.randomUUID()),
  tenant_id: tenantId,
  ...createdAt,
};

/** Set by every change (S0-25). */
export const updatedAt = { updated_at: timestamp().defaultRaw('now()').onCreate(now).onUpdate(now) };

/**
 * Columns of a row that people change: `version` counts up with every write and is the ETag. An update of an entity names
 * the version it was loaded with, and fails when the row has another one.
 */
export const versionedColumns = {
  ...updatedAt,
  version: p
    .integer()
    .default(1)
    .onUpdate((row: { readonly version: number }) => row.version + 1)
    .concurrencyCheck(),
};

/** Lets the application in, inside what restrictive policies leave of the table. */
const appAccess = { name: 'app_access', type: 'permissive' as const, roles: ['castellan_app'], using: 'true', check: 'true' };

/** The two policies of a business table, as `migrations/helpers/tenant-table.ts` creates them. */
export const tenantPolicies = [isolation(`tenant_id = ${currentTenantSql}`), appAccess];

/** The policies of a table whose rows without a tenant are read by every tenant, and written by none. */
export const sharedPolicies = [isolation(`tenant_id is null or tenant_id = ${currentTenantSql}`), appAccess];

/** @param using which rows are seen; those that are written are the tenant's own in any case. */
function isolation(using: string) {
  return {
    name: 'tenant_isolation',
    type: 'restrictive' as const,
    roles: ['castellan_app'],
    using,
    check: `tenant_id = ${currentTenantSql}`,
  };
}

export { defineEntity, p };
