import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { uniqueName } from './defaults.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Row, Target } from './row-insertion.ts';

/** A registered queue of the staging environment, under the name that it has in its engine. */
export function createQueue(target: Target, columns: Columns<'admin_queues'> = {}): Promise<Row<'admin_queues'>> {
  const name = columns.name ?? uniqueName('queue');
  return insertRow(target, 'admin_queues', {
    tenant_id: defaultTenantId,
    name,
    provider: 'bullmq',
    source_name: name,
    environment: 'staging',
    ...columns,
  });
}
