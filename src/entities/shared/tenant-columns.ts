import { defineEntity, p } from '@mikro-orm/postgresql';

/** The tenant of the running transaction; NULL (and so no row) when none is set. */
export const currentTenantSql = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)";

/** Columns that every business table starts with. */
export const tenantColumns = {
  id: p.uuid().primary().defaultRaw('gen_random_uuid()'),
  tenant_id: p.uuid(),
  created_at: p.datetime(3).defaultRaw('now()'),
};

/** Columns of a row that people change: `version` counts up with every write and is the ETag. */
export const versionedColumns = {
  updated_at: p.datetime(3).defaultRaw('now()'),
  version: p.integer().default(1),
};

/** The two policies of a business table, as `migrations/helpers/tenant-table.ts` creates them. */
export const tenantPolicies = [
  {
    name: 'tenant_isolation',
    type: 'restrictive' as const,
    roles: ['castellan_app'],
    using: `tenant_id = ${currentTenantSql}`,
    check: `tenant_id = ${currentTenantSql}`,
  },
  { name: 'app_access', type: 'permissive' as const, roles: ['castellan_app'], using: 'true', check: 'true' },
];

export { defineEntity, p };
