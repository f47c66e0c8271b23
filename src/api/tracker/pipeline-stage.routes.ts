import { sql } from 'kysely';
import { z } from 'zod';
import { lockPipeline } from '../../services/tracker/pipeline.service.ts';
import { requirableFields } from '../../domain/tracker/tracker-pipeline.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { reply, route } from '../http/route.ts';
import { changeRoutes, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { freeText, idParams, rowId, stageParams } from './tracker.schemas.ts';

/** Name of a pipeline or of one of its stages. */
export const pipelineName = freeText(100).min(1);
const percent = z.int().min(0).max(100).describe('Chance of winning from here on, in percent');

/** A stage as it is shown. */
export const StageBody = z
  .object({
    id: rowId,
    pipeline_id: rowId,
    name: z.string(),
    position: z.int().describe('Order within the pipeline, from 1'),
    probability: percent,
    rotting_days: z.int().nullable().describe('Days after which a prospect rots here; null: never'),
    required_fields: z.array(z.enum(requirableFields)),
  })
  .meta({ id: 'PipelineStage' });

const stageFields = {
  name: pipelineName,
  position: z.int().min(1).max(1000),
  probability: percent,
  rotting_days: z.int().min(1).max(3650).nullable(),
  required_fields: z.array(z.enum(requirableFields)).max(requirableFields.length),
};

/** A stage that is made with its pipeline, or added to one. */
export const newStage = z.strictObject({
  name: pipelineName,
  probability: percent,
  rotting_days: stageFields.rotting_days.default(null),
  required_fields: stageFields.required_fields.default([]),
});

const createStage = route({
  ...trackerRoute,
  operationId: 'createPipelineStage',
  method: 'post',
  path: `${trackerPath}/pipelines/:id/stages`,
  summary: 'Add a stage, at the end unless a position is given',
  params: idParams,
  body: newStage.extend({ position: stageFields.position.optional() }).meta({ id: 'PipelineStageCreate' }),
  responses: { 201: StageBody },
  problems: ['resource.conflict'],
  handler: ({ actor, params, body, unitOfWork }) =>
    unitOfWork(async (tx) => {
      await lockPipeline(tx, params.id);
      const { next } = await tx.sql
        .selectFrom('admin_pipeline_stages')
        .where('pipeline_id', '=', params.id)
        .select(sql<number>`coalesce(max(position), 0) + 1`.as('next'))
        .executeTakeFirstOrThrow();
      const stage = await tx.sql
        .insertInto('admin_pipeline_stages')
        .values({ position: next, ...body, pipeline_id: params.id, tenant_id: actor.tenant_id })
        .returningAll()
        .executeTakeFirstOrThrow();
      tx.audit({
        event: 'pipeline_stage.create',
        action: 'create',
        resource_type: 'pipeline_stage',
        resource_id: String(stage.id),
        new_values: { pipeline_id: params.id, ...body },
      });
      return stage;
    }),
});

const updateStage = changeRoutes({
  ...trackerRoute,
  operationId: 'updatePipelineStage',
  path: `${trackerPath}/pipelines/:id/stages/:stageId`,
  summary: 'Change a stage; prospects in it keep their probability until they move',
  params: stageParams,
  body: z.strictObject(stageFields).partial().meta({ id: 'PipelineStageUpdate' }),
  responses: { 200: StageBody },
  problems: ['resource.conflict'],
  handler: ({ params, body, unitOfWork }) =>
    unitOfWork(async (tx) => {
      await lockPipeline(tx, params.id);
      const stage = await tx.sql
        .updateTable('admin_pipeline_stages')
        .set({ ...body, updated_at: sql<string>`now()` })
        .where('id', '=', params.stageId)
        .where('pipeline_id', '=', params.id)
        .where('archived_at', 'is', null)
        .returningAll()
        .executeTakeFirst();
      if (stage === undefined) throw notFound('stage');
      tx.audit({
        event: 'pipeline_stage.update',
        action: 'update',
        resource_type: 'pipeline_stage',
        resource_id: String(stage.id),
        new_values: body,
      });
      return stage;
    }),
});

const deleteStage = route({
  ...trackerRoute,
  operationId: 'deletePipelineStage',
  method: 'delete',
  path: `${trackerPath}/pipelines/:id/stages/:stageId`,
  summary: 'Archive an empty stage; the last one stays',
  params: stageParams,
  responses: { 204: null },
  problems: ['resource.conflict'],
  handler: ({ params, unitOfWork }) =>
    unitOfWork(async (tx) => {
      await lockPipeline(tx, params.id);
      const stages = await tx.sql
        .selectFrom('admin_pipeline_stages as s')
        .where('s.pipeline_id', '=', params.id)
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
            .as('is_held'),
        ])
        .execute();
      const stage = stages.find(({ id }) => id === params.stageId);
      if (stage === undefined) throw notFound('stage');
      if (stage.is_held === true || stages.length === 1) {
        throw new Problem({ code: 'resource.conflict', detail: 'The stage holds prospects, or is the last one.' });
      }
      await tx.sql
        .updateTable('admin_pipeline_stages')
        .set({ archived_at: sql<string>`now()`, updated_at: sql<string>`now()` })
        .where('id', '=', params.stageId)
        .execute();
      tx.audit({
        event: 'pipeline_stage.archive',
        action: 'delete',
        resource_type: 'pipeline_stage',
        resource_id: String(params.stageId),
      });
      return reply(204);
    }),
});

/** The stages of a pipeline. */
export const pipelineStageRoutes = [createStage, ...updateStage, deleteStage];
