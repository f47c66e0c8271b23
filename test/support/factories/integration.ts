import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { uniqueName } from './defaults.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Row, Target } from './row-insertion.ts';

/** A system that sends its records; its secret is sealed with no key. */
export function createIntegration(target: Target, columns: Columns<'admin_integrations'> = {}): Promise<Row<'admin_integrations'>> {
  return insertRow(target, 'admin_integrations', {
    tenant_id: defaultTenantId,
    name: uniqueName('integration'),
    kind: 'webhook_source',
    environment: 'development',
    config: jsonb({ kind: 'webhook_source', id_pointer: '/id' }),
    secret_ciphertext: 'unsealed',
    secret_fingerprint: uniqueName('fingerprint'),
    ...columns,
  });
}
