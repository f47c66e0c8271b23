import { createdAt, currentTenantSql, defineEntity, p, versionedColumns } from '../shared/tenant-columns.ts';

/** A company that uses the product (S1-10, S1-20, X-20). */
export const TenantEntity = defineEntity({
  name: 'Tenant',
  tableName: 'tenants',
  rowLevelSecurity: 'force',
  policies: [
    {
      name: 'tenant_isolation',
      type: 'restrictive',
      roles: ['castellan_app'],
      using: `id = ${currentTenantSql}`,
      check: `id = ${currentTenantSql}`,
    },
    { name: 'app_access', type: 'permissive', roles: ['castellan_app'], using: 'true', check: 'true' },
  ],
  properties: {
    id: p.uuid().primary().defaultRaw('gen_random_uuid()'),
    name: p.text(),
    domain: p.text(),
    status: p.text().default('active').$type<'active' | 'suspended'>(),
    country: p.string().columnType('char(2)').default('IN'),
    currency: p.string().columnType('char(3)').default('INR'),
    time_zone: p.text().default('UTC'),
    id_document_type: p.text().default('none').$type<'none' | 'cpf' | 'pan'>(),
    ...createdAt,
    ...versionedColumns,
  },
});
