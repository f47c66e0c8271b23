import { sql } from 'kysely';
import { timestampText } from '../../../domain/shared/timestamp-text.ts';
import { AdminPipelineEntity, AdminPipelineStageEntity } from '../../../entities/tracker/pipeline.entity.ts';
import { toRow } from '../../../platform/database/entity-row.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';
import type { NewStage } from './pipeline-stage.service.ts';
import { lockPipeline } from './pipeline.repository.ts';

const resource_type = 'pipeline';

/** A pipeline as it is asked for; the place of a stage in the list is its position. */
interface NewPipeline {
  readonly name: string;
  readonly is_default: boolean;
  readonly stages: readonly NewStage[];
}

/** The pipeline of a tenant that creates prospects before it has one of its own. */
const initialPipeline: NewPipeline = {
  name: 'Sales',
  is_default: true,
  stages: [
    { name: 'New', probability: 10, rotting_days: 7, required_fields: [] },
    { name: 'Qualified', probability: 20, rotting_days: 14, required_fields: ['email'] },
    { name: 'Proposal', probability: 50, rotting_days: 14, required_fields: ['email', 'value_minor'] },
    { name: 'Negotiation', probability: 80, rotting_days: 21, required_fields: ['email', 'value_minor', 'next_activity_at'] },
  ],
};

/** Creates a pipeline with its stages. @returns its id. */
export async function createPipeline(tx: Tx, pipeline: NewPipeline): Promise<number> {
  if (pipeline.is_default) await clearDefault(tx, null);
  const created = tx.em.create(AdminPipelineEntity, { name: pipeline.name, is_default: pipeline.is_default });
  await tx.flush();
  const { id } = toRow(created, ['id']);
  for (const [index, stage] of pipeline.stages.entries()) {
    tx.em.create(AdminPipelineStageEntity, { ...stage, pipeline_id: id, position: index + 1 });
  }
  await tx.flush();
  tx.audit({
    event: 'pipeline.create',
    action: 'create',
    resource_type,
    resource_id: String(id),
    new_values: pipeline,
  });
  return id;
}

/** What of a pipeline can change. */
interface PipelineChange {
  readonly name?: string | undefined;
  readonly is_default?: boolean | undefined;
}

/**
 * Renames a pipeline or makes it the default in place of the present one.
 *
 * @throws Problem `resource.not-found` when the tenant has no such pipeline; `request.invalid` where none would be the default.
 */
export async function updatePipeline(tx: Tx, id: number, change: PipelineChange): Promise<void> {
  const pipeline = await lockPipeline(tx, id);
  const old_values = toRow(pipeline, ['name', 'is_default']);
  if (change.is_default === false && old_values.is_default) {
    const errors = [{ pointer: '/is_default', detail: 'must be true: make another pipeline the default instead' }];
    throw new Problem({ code: 'request.invalid', detail: 'A tenant has one default pipeline.', errors });
  }
  if (change.is_default === true) await clearDefault(tx, id);
  tx.em.assign(pipeline, change);
  await tx.flush();
  tx.audit({
    event: 'pipeline.update',
    action: 'update',
    resource_type,
    resource_id: String(id),
    old_values,
    new_values: change,
  });
}

/**
 * Archives a pipeline.
 *
 * @throws Problem `resource.conflict` when prospects are in it; `resource.not-found`.
 */
export async function archivePipeline(tx: Tx, id: number): Promise<void> {
  const pipeline = await lockPipeline(tx, id);
  const prospect = await tx.sql
    .selectFrom('admin_prospects')
    .where('pipeline_id', '=', id)
    .where('deleted_at', 'is', null)
    .select('id')
    .limit(1)
    .executeTakeFirst();
  if (prospect !== undefined) {
    throw new Problem({ code: 'resource.conflict', detail: 'Prospects are in this pipeline. Move or remove them first.' });
  }
  tx.em.assign(pipeline, { archived_at: timestampText(Date.now()) });
  tx.audit({
    event: 'pipeline.archive',
    action: 'delete',
    resource_type,
    resource_id: String(id),
    old_values: toRow(pipeline, ['name']),
  });
}

/**
 * Takes the mark from the default pipeline, because the database keeps a tenant to one. It doesn't count as a change of
 * that pipeline: its version stays.
 *
 * @param exceptId a pipeline that is loaded as an entity, which would not see the statement.
 */
async function clearDefault(tx: Tx, exceptId: number | null): Promise<void> {
  await tx.sql
    .updateTable('admin_pipelines')
    .set({ is_default: false })
    .where('is_default', '=', true)
    .where((eb) => (exceptId === null ? eb.lit(true) : eb('id', '!=', exceptId)))
    .execute();
}

/** The pipeline of prospects for which none is named: the default one, created when the tenant has no pipeline yet. */
export async function defaultPipelineId(tx: Tx): Promise<number> {
  // The first two prospects of a tenant, created at the same time, must not create two pipelines.
  await sql`select pg_advisory_xact_lock(hashtextextended('pipeline/' || ${tx.actor.tenant_id}, 0))`.execute(tx.sql);
  const row = await tx.sql
    .selectFrom('admin_pipelines')
    .where('archived_at', 'is', null)
    .orderBy('is_default', 'desc')
    .orderBy('id')
    .select('id')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? createPipeline(tx, initialPipeline);
}
