import { timestamp } from './column-types.ts';
import { defineEntity, p, tenantPolicies } from './tenant-columns.ts';

/** The first answer to a request with an Idempotency-Key, replayed to its repetitions for a day. */
export const IdempotencyKeyEntity = defineEntity({
  name: 'IdempotencyKey',
  tableName: 'idempotency_keys',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    tenant_id: p.uuid().primary(),
    principal: p.text().primary(),
    key: p.text().primary(),
    fingerprint: p.blob(),
    status: p.integer().nullable(),
    response_sealed: p.text().nullable(),
    created_at: timestamp().defaultRaw('now()'),
    expires_at: timestamp(),
  },
});
