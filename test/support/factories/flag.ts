import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { uniqueName } from './defaults.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Given, Row, Target } from './row-insertion.ts';

/** A boolean flag of the production environment that is off. */
export function createFlag(target: Target, columns: Columns<'admin_feature_flags'> = {}): Promise<Row<'admin_feature_flags'>> {
  return insertRow(target, 'admin_feature_flags', {
    tenant_id: defaultTenantId,
    key: uniqueName('flag'),
    environment: 'production',
    value_type: 'boolean',
    variants: jsonb({ on: true, off: false }),
    on_variant: 'on',
    off_variant: 'off',
    ...columns,
  });
}

/** The first version of a flag, as it was created. */
export function createFlagVersion(
  target: Target,
  columns: Given<'admin_flag_history', 'flag_id' | 'key' | 'definition'>,
): Promise<Row<'admin_flag_history'>> {
  return insertRow(target, 'admin_flag_history', {
    tenant_id: defaultTenantId,
    environment: 'production',
    version: 1,
    change: 'created',
    ...columns,
  });
}
