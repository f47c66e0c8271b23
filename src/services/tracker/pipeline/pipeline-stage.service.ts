import { sql } from 'kysely';
import type { RequirableField } from '../../../domain/tracker/tracker-pipeline.ts';
import { AdminPipelineStageEntity } from '../../../entities/tracker/pipeline.entity.ts';
import { toRow } from '../../../platform/database/entity-row.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem, notFound } from '../../../platform/problem.ts';
import { lockPipeline, stageColumns } from './pipeline.repository.ts';

const resource_type = 'pipeline_stage';

/** A stage as it is asked for. */
export interface NewStage {
  readonly name: string;
  readonly probability: number;
  readonly rotting_days: number | null;
  readonly required_fields: RequirableField[];
}

/** What of a stage can change; what is left out stays. */
type StageChange = { readonly [Name in keyof NewStage]?: NewStage[Name] | undefined } & {
  readonly position?: number | undefined;
};

/** Adds a stage to a pipeline, at the end unless a position is given. */
export async function createStage(tx: Tx, pipelineId: number, values: NewStage & Pick<StageChange, 'position'>) {
  await lockPipeline(tx, pipelineId);
  const { next } = await tx.sql
    .selectFrom('admin_pipeline_stages')
    .where('pipeline_id', '=', pipelineId)
    .select(sql<number>`coalesce(max(position), 0) + 1`.as('next'))
    .executeTakeFirstOrThrow();
  const position = values.position ?? next;
  const stage = tx.em.create(AdminPipelineStageEntity, { ...values, position, pipeline_id: pipelineId });
  await tx.flush();
  const row = toRow(stage, stageColumns);
  tx.audit({
    event: 'pipeline_stage.create',
    action: 'create',
    resource_type,
    resource_id: String(row.id),
    new_values: { pipeline_id: pipelineId, ...values },
  });
  return row;
}

/**
 * Changes a stage. Prospects in it keep their probability until they move. The lock of the pipeline covers its stages, so
 * one statement does it.
 *
 * @throws Problem `resource.not-found` when the pipeline has no such stage.
 */
export async function updateStage(tx: Tx, pipelineId: number, id: number, change: StageChange) {
  await lockPipeline(tx, pipelineId);
  const row = await tx.sql
    .updateTable('admin_pipeline_stages')
    .set({ ...change, updated_at: sql<string>`now()` })
    .where('id', '=', id)
    .where('pipeline_id', '=', pipelineId)
    .where('archived_at', 'is', null)
    .returning(stageColumns)
    .executeTakeFirst();
  if (row === undefined) throw notFound('stage');
  tx.audit({
    event: 'pipeline_stage.update',
    action: 'update',
    resource_type,
    resource_id: String(id),
    new_values: change,
  });
  return row;
}

/**
 * Archives a stage.
 *
 * @throws Problem `resource.conflict` when prospects are in it or it is the last one; `resource.not-found`.
 */
export async function archiveStage(tx: Tx, pipelineId: number, id: number): Promise<void> {
  await lockPipeline(tx, pipelineId);
  const stages = await tx.sql
    .selectFrom('admin_pipeline_stages as s')
    .where('s.pipeline_id', '=', pipelineId)
    .where('s.archived_at', 'is', null)
    .select((eb) => [
      's.id',
      eb
        .exists(
          eb
            .selectFrom('admin_prospects as p')
            .whereRef('p.stage_id', '=', 's.id')
            .where('p.deleted_at', 'is', null)
            .select('p.id'),
        )
        .as('has_prospects'),
    ])
    .execute();
  const stage = stages.find((one) => one.id === id);
  if (stage === undefined) throw notFound('stage');
  if (stage.has_prospects === true || stages.length === 1) {
    throw new Problem({ code: 'resource.conflict', detail: 'The stage holds prospects, or is the last one.' });
  }
  await tx.sql
    .updateTable('admin_pipeline_stages')
    .set({ archived_at: sql<string>`now()`, updated_at: sql<string>`now()` })
    .where('id', '=', id)
    .execute();
  tx.audit({ event: 'pipeline_stage.archive', action: 'delete', resource_type, resource_id: String(id) });
}
