import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies } from '../shared/tenant-columns.ts';

/** What an application or a machine authenticates with; only the SHA-256 of the token is stored. */
export const ServiceTokenEntity = defineEntity({
  name: 'ServiceToken',
  tableName: 'service_tokens',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    name: p.text(),
    token_hash: p.blob(),
    last4: p.string().columnType('char(4)'),
    /** The one environment whose flags and configuration it reads; null reads none. */
    environment: p.text().nullable().$type<EnvironmentName>(),
    permissions: p.array(),
    created_by: p.uuid().nullable(),
    expires_at: timestamp().nullable(),
    revoked_at: timestamp().nullable(),
    revoked_by: p.uuid().nullable(),
  },
});
