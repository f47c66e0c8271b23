import type { JsonValue } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { FlagProposal, FlagRule, FlagValueType } from '../../domain/flag/flag.ts';
import { jsonb } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/** A feature flag in one environment (S2-47). Written by the flag actions only. */
export const FeatureFlagEntity = defineEntity({
  name: 'FeatureFlag',
  tableName: 'admin_feature_flags',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    key: p.text(),
    environment: p.text().$type<EnvironmentName>(),
    description: p.text().default(''),
    value_type: p.text().$type<FlagValueType>(),
    variants: jsonb<Record<string, JsonValue>>(),
    enabled: p.boolean().default(false),
    on_variant: p.text(),
    off_variant: p.text(),
    rollout_percentage: p.float().columnType('double precision').default(0),
    rules: jsonb<FlagRule[]>().defaultRaw("'[]'"),
    off_is_safe: p.boolean().default(true),
    updated_by: p.uuid().nullable(),
    ...versionedColumns,
  },
});

/** What changed a flag. */
export type FlagChange = 'created' | 'updated' | 'toggled' | 'emergency_off';

/** The definition of a flag in each of its versions: the base of three-way differences, and the history of values. */
export const FlagHistoryEntity = defineEntity({
  name: 'FlagHistory',
  tableName: 'admin_flag_history',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    flag_id: p.uuid(),
    key: p.text(),
    environment: p.text().$type<EnvironmentName>(),
    version: p.integer(),
    change: p.text().$type<FlagChange>(),
    // Versions from before a flag could say so have no `off_is_safe`.
    definition: jsonb<FlagProposal>(),
    changed_by: p.uuid().nullable(),
    reason: p.text().nullable(),
    approval_id: p.uuid().nullable(),
  },
});
