import { sql } from 'kysely';
import type { RequirableField, Stage } from '../../domain/tracker/tracker-pipeline.ts';
import { stageColumns } from './pipeline.queries.ts';
import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** A stage as it is asked for; its place in the list is its position. */
export interface NewStage {
  readonly name: string;
  readonly probability: number;
  readonly rotting_days: number | null;
  readonly required_fields: RequirableField[];
}

/** A pipeline as it is asked for. */
export interface NewPipeline {
  readonly name: string;
  readonly is_default: boolean;
  readonly stages: readonly NewStage[];
}

/** A stage with its name. */
export interface NamedStage extends Stage {
  readonly name: string;
  readonly position: number;
}

/** What a tenant starts with when it creates prospects before it has made a pipeline of its own. */
const firstPipeline: NewPipeline = {
  name: 'Sales',
  is_default: true,
  stages: [
    { name: 'New', probability: 10, rotting_days: 7, required_fields: [] },
    { name: 'Qualified', probability: 20, rotting_days: 14, required_fields: ['email'] },
    { name: 'Proposal', probability: 50, rotting_days: 14, required_fields: ['email', 'value_minor'] },
    { name: 'Negotiation', probability: 80, rotting_days: 21, required_fields: ['email', 'value_minor', 'next_activity_at'] },
  ],
};

/** Writes a pipeline with its stages. @returns its id. */
export async function createPipeline(tx: Tx, pipeline: NewPipeline): Promise<number> {
  const { tenant_id } = tx.actor;
  if (pipeline.is_default) {
    await tx.sql.updateTable('admin_pipelines').set({ is_default: false }).where('is_default', '=', true).execute();
  }
  const { id } = await tx.sql
    .insertInto('admin_pipelines')
    .values({ tenant_id, name: pipeline.name, is_default: pipeline.is_default })
    .returning('id')
    .executeTakeFirstOrThrow();
  await tx.sql
    .insertInto('admin_pipeline_stages')
    .values(pipeline.stages.map((stage, place) => ({ ...stage, tenant_id, pipeline_id: id, position: place + 1 })))
    .execute();
  tx.audit({
    event: 'pipeline.create',
    action: 'create',
    resource_type: 'pipeline',
    resource_id: String(id),
    new_values: pipeline,
  });
  return id;
}

/** @throws Problem `resource.not-found` when the tenant has no such living pipeline. */
export async function lockPipeline(tx: Tx, id: number) {
  const row = await tx.sql
    .selectFrom('admin_pipelines')
    .where('id', '=', id)
    .where('archived_at', 'is', null)
    .selectAll()
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw notFound('pipeline');
  return row;
}

/** The living stages of a pipeline, in order. */
export async function stagesOf(tx: Tx, pipelineId: number): Promise<NamedStage[]> {
  return tx.sql
    .selectFrom('admin_pipeline_stages')
    .where('pipeline_id', '=', pipelineId)
    .where('archived_at', 'is', null)
    .orderBy('position')
    .orderBy('id')
    .select(stageColumns)
    .execute();
}

/** A stage by its id, archived ones included. */
export async function findStage(tx: Tx, id: number): Promise<(NamedStage & { readonly archived_at: string | null }) | undefined> {
  return tx.sql
    .selectFrom('admin_pipeline_stages')
    .where('id', '=', id)
    .select([...stageColumns, 'archived_at'])
    .executeTakeFirst();
}

/** The pipeline of prospects for which none is named: the default one, made when the tenant has none yet. */
export async function defaultPipelineId(tx: Tx): Promise<number> {
  // Two first prospects at once must not make two pipelines.
  await sql`select pg_advisory_xact_lock(hashtextextended('pipeline/' || ${tx.actor.tenant_id}, 0))`.execute(tx.sql);
  const row = await tx.sql
    .selectFrom('admin_pipelines')
    .where('archived_at', 'is', null)
    .orderBy('is_default', 'desc')
    .orderBy('id')
    .select('id')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? createPipeline(tx, firstPipeline);
}
