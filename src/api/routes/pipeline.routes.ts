import { sql } from 'kysely';
import { z } from 'zod';
import { createPipeline, lockPipeline } from '../../actions/pipeline-store.ts';
import { requirableFields } from '../../domain/tracker-pipeline.ts';
import { pipelinesQuery } from '../../entities/pipeline-rows.ts';
import { query } from '../../entities/schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { pageOf, pageQuery, toPage } from '../pagination.ts';
import { reply, route } from '../route.ts';
import { timestamp } from '../schemas.ts';
import { afterCursor, changeRoutes, freeText, idParams, rowId, stageParams, trackerPath, trackerRoute } from '../tracker.ts';

const name = freeText(100).min(1);
const percent = z.int().min(0).max(100).describe('Chance of winning from here on, in percent');

const StageBody = z
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

const PipelineBody = z
  .object({
    id: rowId,
    name: z.string(),
    is_default: z.boolean(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
    stages: z.array(StageBody),
  })
  .meta({ id: 'Pipeline' });

const stageFields = {
  name,
  position: z.int().min(1).max(1000),
  probability: percent,
  rotting_days: z.int().min(1).max(3650).nullable(),
  required_fields: z.array(z.enum(requirableFields)).max(requirableFields.length),
};

const newStage = z.strictObject({
  name,
  probability: percent,
  rotting_days: stageFields.rotting_days.default(null),
  required_fields: stageFields.required_fields.default([]),
});

const getPipelines = route({
  ...trackerRoute,
  operationId: 'getPipelines',
  method: 'get',
  path: `${trackerPath}/pipelines`,
  summary: 'Pipelines of the tenant with their stages in order, newest first',
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(PipelineBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor }, read }) => {
    const rows = await read(
      pipelinesQuery()
        .where(afterCursor(cursor, 'p.created_at', 'p.id'))
        .orderBy('p.created_at', 'desc')
        .orderBy('p.id', 'desc')
        .limit(limit + 1),
    );
    return toPage(rows, limit, (row) => [row.created_at, String(row.id)], (row) => row);
  },
});

const getPipeline = route({
  ...trackerRoute,
  operationId: 'getPipeline',
  method: 'get',
  path: `${trackerPath}/pipelines/:id`,
  summary: 'One pipeline with its stages',
  params: idParams,
  responses: { 200: PipelineBody },
  handler: async ({ params, read }) => {
    const [row] = await read(pipelinesQuery().where('p.id', '=', params.id));
    if (row === undefined) throw notFound('pipeline');
    return row;
  },
});

const postPipeline = route({
  ...trackerRoute,
  operationId: 'createPipeline',
  method: 'post',
  path: `${trackerPath}/pipelines`,
  summary: 'Create a pipeline with its stages in the order given',
  body: z
    .strictObject({
      name,
      is_default: z.boolean().default(false).describe('Takes over from the present default'),
      stages: z.array(newStage).min(1).max(50),
    })
    .meta({ id: 'PipelineCreate' }),
  responses: { 201: PipelineBody },
  problems: ['resource.conflict'],
  handler: async ({ body, unitOfWork, read }) => {
    const id = await unitOfWork((tx) => createPipeline(tx, body));
    return (await read(pipelinesQuery().where('p.id', '=', id)))[0];
  },
});

const updatePipeline = changeRoutes({
  ...trackerRoute,
  operationId: 'updatePipeline',
  path: `${trackerPath}/pipelines/:id`,
  summary: 'Rename a pipeline or make it the default',
  params: idParams,
  body: z.strictObject({ name: name.optional(), is_default: z.literal(true).optional() }).meta({ id: 'PipelineUpdate' }),
  responses: { 200: PipelineBody },
  problems: ['resource.conflict'],
  handler: async ({ params, body, unitOfWork, read }) => {
    await unitOfWork(async (tx) => {
      const before = await lockPipeline(tx, params.id);
      if (body.is_default === true) {
        await tx.sql.updateTable('admin_pipelines').set({ is_default: false }).where('is_default', '=', true).execute();
      }
      await tx.sql
        .updateTable('admin_pipelines')
        .set({ ...body, updated_at: sql<string>`now()`, version: before.version + 1 })
        .where('id', '=', params.id)
        .execute();
      tx.audit({
        event: 'pipeline.update',
        action: 'update',
        resource_type: 'pipeline',
        resource_id: String(params.id),
        old_values: { name: before.name, is_default: before.is_default },
        new_values: body,
      });
    });
    return (await read(pipelinesQuery().where('p.id', '=', params.id)))[0];
  },
});

const deletePipeline = route({
  ...trackerRoute,
  operationId: 'deletePipeline',
  method: 'delete',
  path: `${trackerPath}/pipelines/:id`,
  summary: 'Archive a pipeline that holds no prospect',
  params: idParams,
  responses: { 204: null },
  problems: ['resource.conflict'],
  handler: ({ params, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const before = await lockPipeline(tx, params.id);
      const held = await tx.sql
        .selectFrom('admin_prospects')
        .where('pipeline_id', '=', params.id)
        .where('deleted_at', 'is', null)
        .select('id')
        .limit(1)
        .executeTakeFirst();
      if (held !== undefined) {
        throw new Problem({ code: 'resource.conflict', detail: 'Prospects are in this pipeline. Move or remove them first.' });
      }
      const archived = { archived_at: sql<string>`now()`, updated_at: sql<string>`now()` };
      await tx.sql.updateTable('admin_pipelines').set(archived).where('id', '=', params.id).execute();
      tx.audit({
        event: 'pipeline.archive',
        action: 'delete',
        resource_type: 'pipeline',
        resource_id: String(params.id),
        old_values: { name: before.name },
      });
      return reply(204);
    }),
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

const getPipelineSummary = route({
  ...trackerRoute,
  operationId: 'getPipelineSummary',
  method: 'get',
  path: `${trackerPath}/pipelines/:id/summary`,
  summary: 'Open prospects, value and weighted value by stage and currency',
  params: idParams,
  responses: {
    200: z.object({
      items: z.array(
        z
          .object({
            stage_id: rowId,
            currency: z.string().nullable(),
            prospects: z.int().describe('Open prospects in the stage'),
            value_minor: z.int().describe('Sum of their values, in minor units'),
            weighted_value_minor: z.int().describe('Sum of value times probability, in minor units'),
          })
          .meta({ id: 'StageSummary' }),
      ),
    }),
  },
  handler: async ({ actor, params, read }) => ({
    items: await read(
      query
        .selectFrom('admin_prospects')
        .where('pipeline_id', '=', params.id)
        .where('user_id', '=', actor.user_id)
        .where('status', '=', 'open')
        .where('deleted_at', 'is', null)
        .groupBy(['stage_id', 'currency'])
        .orderBy('stage_id')
        .orderBy('currency')
        .select([
          'stage_id',
          'currency',
          sql<number>`count(*)`.as('prospects'),
          sql<number>`coalesce(sum(value_minor), 0)::bigint`.as('value_minor'),
          sql<number>`coalesce(sum(round(value_minor * probability / 100.0)), 0)::bigint`.as('weighted_value_minor'),
        ]),
    ),
  }),
});

export const pipelineRoutes = [
  getPipelines,
  postPipeline,
  getPipeline,
  ...updatePipeline,
  deletePipeline,
  getPipelineSummary,
  createStage,
  ...updateStage,
  deleteStage,
];
