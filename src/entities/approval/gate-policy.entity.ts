import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import { defaultIndependenceDays } from '../../domain/approval/approval-policy.ts';
import type { ApprovalStep } from '../../domain/approval/approval-policy.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { jsonb } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/** Gate policy: the gate of an action in an environment, and whose approval it takes (S2-68). */
export const GatePolicyEntity = defineEntity({
  name: 'GatePolicy',
  tableName: 'admin_approval_policies',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    action: p.text(),
    environment: p.text().default('any').$type<EnvironmentName | 'any'>(),
    gate: p.text().$type<GateLevel>(),
    steps: jsonb<ApprovalStep[]>().defaultRaw("'[]'"),
    review_window_seconds: p.integer(),
    execution_window_seconds: p.integer(),
    reminder_interval_seconds: p.integer(),
    bypass_review_seconds: p.integer(),
    independence_days: p.integer().default(defaultIndependenceDays),
    bypassers: p.array().columnType('uuid[]').defaultRaw("'{}'"),
    updated_by: p.uuid().nullable(),
    ...versionedColumns,
  },
});
