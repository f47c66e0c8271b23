import type { RequirableField } from '../../domain/tracker/tracker-pipeline.ts';
import { timestamp } from '../shared/column-types.ts';
import { createdAt, defineEntity, p, tenantId, tenantPolicies, updatedAt, versionedColumns } from '../shared/tenant-columns.ts';
import { integerId } from './tracker-columns.ts';

const sharedColumns = { id: integerId, tenant_id: tenantId, ...createdAt };

/** The stages from first contact to contract (S0-75), shared by the tenant. */
export const AdminPipelineEntity = defineEntity({
  name: 'AdminPipeline',
  tableName: 'admin_pipelines',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...sharedColumns,
    name: p.string().length(100),
    is_default: p.boolean().default(false),
    archived_at: timestamp().nullable(),
    ...versionedColumns,
  },
});

/** A stage of a pipeline, in the order of `position` (S0-75). */
export const AdminPipelineStageEntity = defineEntity({
  name: 'AdminPipelineStage',
  tableName: 'admin_pipeline_stages',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...sharedColumns,
    pipeline_id: p.integer(),
    name: p.string().length(100),
    position: p.integer(),
    probability: p.integer(),
    rotting_days: p.integer().nullable(),
    required_fields: p.array().$type<RequirableField[]>().defaultRaw("'{}'"),
    archived_at: timestamp().nullable(),
    ...updatedAt,
  },
});
