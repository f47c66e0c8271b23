import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { fromNow, hour, uniqueName } from './defaults.ts';
import type { Columns, NewRow } from './row-insertion.ts';

/** The key of a request that was not answered yet. */
export function newIdempotencyKey(columns: Columns<'idempotency_keys'> = {}): NewRow<'idempotency_keys'> {
  return {
    tenant_id: defaultTenantId,
    principal: 'someone',
    key: uniqueName('key'),
    fingerprint: Buffer.of(0),
    expires_at: fromNow(hour),
    ...columns,
  };
}
