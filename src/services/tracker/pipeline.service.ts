import { sql } from 'kysely';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { NewStage } from './pipeline-stage.service.ts';
import { lockPipeline } from './pipeline.repository.ts';

const resource_type = 'pipeline';

/** A pipeline as it is asked for; the place of a stage in the list is its position. */
export interface NewPipeline {
  readonly name: string;
  readonly is_default: boolean;
  readonly stages: readonly NewStage[];
}

/** The pipeline of a tenant that creates prospects before it has made a pipeline of its own. */
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
  const { tenant_id } = tx.actor;
  if (pipeline.is_default) await clearDefault(tx);
  const { id } = await tx.sql
    .insertInto('admin_pipelines')
    .values({ tenant_id, name: pipeline.name, is_default: pipeline.is_default })
    .returning('id')
    .executeTakeFirstOrThrow();
  await tx.sql
    .insertInto('admin_pipeline_stages')
    .values(pipeline.stages.map((stage, index) => ({ ...stage, tenant_id, pipeline_id: id, position: index + 1 })))
    .execute();
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
export interface PipelineChange {
  readonly name?: string | undefined;
  readonly is_default?: true | undefined;
}

/**
 * Renames a pipeline or makes it the default in place of the present one.
 *
 * @throws Problem `resource.not-found` when the tenant has no such pipeline.
 */
export async function updatePipeline(tx: Tx, id: number, change: PipelineChange): Promise<void> {
  const before = await lockPipeline(tx, id);
  if (change.is_default === true) await clearDefault(tx);
  await tx.sql
    .updateTable('admin_pipelines')
    .set({ ...change, updated_at: sql<string>`now()`, version: before.version + 1 })
    .where('id', '=', id)
    .execute();
  tx.audit({
    event: 'pipeline.update',
    action: 'update',
    resource_type,
    resource_id: String(id),
    old_values: { name: before.name, is_default: before.is_default },
    new_values: change,
  });
}

/**
 * Archives a pipeline.
 *
 * @throws Problem `resource.conflict` when prospects are in it; `resource.not-found`.
 */
export async function archivePipeline(tx: Tx, id: number): Promise<void> {
  const before = await lockPipeline(tx, id);
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
  const archived = { archived_at: sql<string>`now()`, updated_at: sql<string>`now()` };
  await tx.sql.updateTable('admin_pipelines').set(archived).where('id', '=', id).execute();
  tx.audit({
    event: 'pipeline.archive',
    action: 'delete',
    resource_type,
    resource_id: String(id),
    old_values: { name: before.name },
  });
}

/** The database keeps a tenant to one default pipeline, so the present one steps back first. */
async function clearDefault(tx: Tx): Promise<void> {
  await tx.sql.updateTable('admin_pipelines').set({ is_default: false }).where('is_default', '=', true).execute();
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
