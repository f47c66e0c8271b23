import { sql } from 'kysely';
import type { RequirableField } from '../../../domain/tracker/tracker-pipeline.ts';
import { AdminPipelineStageEntity } from '../../../entities/tracker/pipeline.entity.ts';
import { toRow } from '../../../platform/database/entity-row.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem, notFound } from '../../../platform/problem.ts';
import { lockPipeline, stageColumns, stagesOf } from './pipeline.repository.ts';
import type { NamedStage } from './pipeline.repository.ts';

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

/** Adds a stage to a pipeline, at the end unless a position is given; those from there on move down by one. */
export async function createStage(tx: Tx, pipelineId: number, { position, ...values }: NewStage & Pick<StageChange, 'position'>) {
  await lockPipeline(tx, pipelineId);
  const others = await stagesOf(tx, pipelineId);
  const last = others.length + 1;
  const stage = tx.em.create(AdminPipelineStageEntity, { ...values, position: last, pipeline_id: pipelineId });
  await tx.flush();
  const row = toRow(stage, stageColumns);
  const place = await arrange(tx, [...others, row], { id: row.id, position: position ?? last });
  tx.audit({
    event: 'pipeline_stage.create',
    action: 'create',
    resource_type,
    resource_id: String(row.id),
    new_values: { pipeline_id: pipelineId, ...values, position: place },
  });
  return { ...row, position: place };
}

/**
 * Changes a stage. Prospects in it keep their probability until they move. A stage that is moved is at the position asked for
 * afterwards, or the last. The lock of the pipeline covers its stages, so one statement changes the other fields.
 *
 * @throws Problem `resource.not-found` when the pipeline has no such stage.
 */
export async function updateStage(tx: Tx, pipelineId: number, id: number, { position, ...change }: StageChange) {
  await lockPipeline(tx, pipelineId);
  const stages = await stagesOf(tx, pipelineId);
  const before = stages.find((stage) => stage.id === id);
  if (before === undefined) throw notFound('stage');
  const row = await tx.sql
    .updateTable('admin_pipeline_stages')
    .set({ ...change, updated_at: sql<string>`now()` })
    .where('id', '=', id)
    .returning(stageColumns)
    .executeTakeFirstOrThrow();
  const place = position === undefined ? before.position : await arrange(tx, stages, { id, position });
  const after = { ...row, position: place };
  tx.audit({
    event: 'pipeline_stage.update',
    action: 'update',
    resource_type,
    resource_id: String(id),
    old_values: before,
    new_values: after,
  });
  return after;
}

/**
 * Numbers the stages of a pipeline from 1 without gaps, one of them at another place.
 *
 * @param stages all that are not archived, in order.
 * @returns the position at which the moved one is.
 */
async function arrange(
  tx: Tx,
  stages: readonly Pick<NamedStage, 'id' | 'position'>[],
  moved: Pick<NamedStage, 'id' | 'position'> | null,
): Promise<number> {
  const ids = stages.map(({ id }) => id).filter((id) => id !== moved?.id);
  if (moved !== null) ids.splice(moved.position - 1, 0, moved.id);
  const places = new Map(ids.map((id, index) => [id, index + 1]));
  const changed = stages.filter(({ id, position }) => places.get(id) !== position).map(({ id }) => id);
  if (changed.length > 0) {
    await sql`update admin_pipeline_stages s set position = p.position, updated_at = now()
      from unnest(${changed}::int[], ${changed.map((id) => places.get(id) ?? 1)}::int[]) as p (id, position)
      where s.id = p.id`.execute(tx.sql);
  }
  return moved === null ? 0 : (places.get(moved.id) ?? 0);
}

/**
 * Archives a stage; those after it move up.
 *
 * @throws Problem `resource.conflict` when prospects are in it or it is the last one; `resource.not-found`.
 */
export async function archiveStage(tx: Tx, pipelineId: number, id: number): Promise<void> {
  await lockPipeline(tx, pipelineId);
  const stages = await tx.sql
    .selectFrom('admin_pipeline_stages as s')
    .where('s.pipeline_id', '=', pipelineId)
    .where('s.archived_at', 'is', null)
    .orderBy('s.position')
    .orderBy('s.id')
    .select((eb) => [
      's.id',
      's.position',
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
  if (stage.has_prospects === true) throw await stillHolds(tx, id);
  if (stages.length === 1) {
    throw new Problem({ code: 'resource.conflict', detail: 'This is the last stage of its pipeline, which needs one.' });
  }
  await tx.sql
    .updateTable('admin_pipeline_stages')
    .set({ archived_at: sql<string>`now()`, updated_at: sql<string>`now()` })
    .where('id', '=', id)
    .execute();
  await arrange(tx, stages.filter((one) => one.id !== id), null);
  tx.audit({ event: 'pipeline_stage.archive', action: 'delete', resource_type, resource_id: String(id) });
}

async function stillHolds(tx: Tx, stageId: number): Promise<Problem> {
  const { count } = await tx.sql
    .selectFrom('admin_prospects')
    .where('stage_id', '=', stageId)
    .where('deleted_at', 'is', null)
    .select(sql<number>`count(*)`.as('count'))
    .executeTakeFirstOrThrow();
  const prospects = count === 1 ? 'a prospect. Move or remove it' : `${count} prospects. Move or remove them`;
  return new Problem({ code: 'resource.conflict', detail: `The stage holds ${prospects} first.` });
}
