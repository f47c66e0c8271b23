import { sql } from 'kysely';
import { z } from 'zod';
import { createPipeline, lockPipeline } from '../../services/tracker/pipeline.service.ts';
import { pipelinesQuery } from '../../services/tracker/pipeline.queries.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { timestamp } from '../../platform/value-schemas.ts';
import { changeRoutes, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { StageBody, newStage, pipelineName, pipelineStageRoutes } from './pipeline-stage.routes.ts';
import { idParams, rowId } from './tracker.schemas.ts';
import { afterCursor } from '../../services/tracker/tracker-page.queries.ts';

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
      name: pipelineName,
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
  body: z.strictObject({ name: pipelineName.optional(), is_default: z.literal(true).optional() }).meta({ id: 'PipelineUpdate' }),
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
  ...pipelineStageRoutes,
];
