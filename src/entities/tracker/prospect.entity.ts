import type { ProspectStatus } from '../../domain/tracker/tracker-pipeline.ts';
import { timestamp } from '../shared/column-types.ts';
import { createdAt, defineEntity, p, tenantId, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';
import { integerId, ownedColumns } from './tracker-columns.ts';

/** Somebody who may become a customer (S0-74). Belongs to a user and has activities and meetings. */
export const AdminProspectEntity = defineEntity({
  name: 'AdminProspect',
  tableName: 'admin_prospects',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    pipeline_id: p.integer(),
    stage_id: p.integer(),
    stage_entered_at: timestamp().defaultRaw('now()'),
    name: p.string().length(255),
    company: p.string().length(255).nullable(),
    /** Unique in the tenant, ignoring case. */
    email: p.string().length(320).nullable(),
    phone: p.string().length(32).nullable(),
    source: p.string().length(100).nullable(),
    value_minor: p.bigint('number').nullable(),
    currency: p.string().columnType('char(3)').nullable(),
    probability: p.integer(),
    next_activity_at: timestamp().nullable(),
    status: p.string().length(10).$type<ProspectStatus>().default('open'),
    lost_reason: p.text().nullable(),
    deleted_at: timestamp().nullable(),
    ...versionedColumns,
  },
});

/** Stage history: every move of a prospect; append-only. */
export const AdminStageHistoryEntity = defineEntity({
  name: 'AdminStageHistory',
  tableName: 'admin_stage_history',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    id: integerId,
    tenant_id: tenantId,
    prospect_id: p.integer(),
    from_stage_id: p.integer().nullable(),
    to_stage_id: p.integer(),
    from_status: p.string().length(10).$type<ProspectStatus>().nullable(),
    to_status: p.string().length(10).$type<ProspectStatus>(),
    reason: p.text().nullable(),
    /** Time that the prospect was in the stage it left. */
    seconds_in_stage: p.bigint('number').nullable(),
    moved_by: p.uuid().nullable(),
    ...createdAt,
  },
});
