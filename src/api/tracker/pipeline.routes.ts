import { z } from 'zod';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { notFound } from '../../platform/problem.ts';
import { pipelinePageQuery, pipelineSummaryQuery, pipelinesQuery } from '../../services/tracker/pipeline/pipeline.queries.ts';
import { archivePipeline, createPipeline, updatePipeline } from '../../services/tracker/pipeline/pipeline.service.ts';
import { read } from '../../platform/database/read.ts';
import { reply, route } from '../http/route.ts';
import { pipelineStageRoutes } from './pipeline-stage.routes.ts';
import { PipelineBody, PipelineCreate, PipelineSummaryBody, PipelineUpdate } from './pipeline.schemas.ts';
import { changeRoutes, sharedPipelineRoute, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { idParams } from './tracker.schemas.ts';

const list = route({
  ...trackerRoute,
  operationId: 'getPipelines',
  method: 'get',
  path: `${trackerPath}/pipelines`,
  summary: 'Pipelines of the tenant with their stages in order, newest first',
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(PipelineBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: page, read }) => {
    const rows = await read(pipelinePageQuery(page));
    return toPage(rows, page.limit, (row) => [row.created_at, String(row.id)], (row) => row);
  },
});

const get = route({
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

const create = route({
  ...sharedPipelineRoute,
  operationId: 'createPipeline',
  method: 'post',
  path: `${trackerPath}/pipelines`,
  summary: 'Create a pipeline with its stages in the order given',
  body: PipelineCreate,
  responses: { 201: PipelineBody },
  problems: ['resource.conflict'],
  handler: ({ body, change }) =>
    change(async (tx) => {
      const id = await createPipeline(tx, body);
      return (await read(tx, tx.actor, pipelinesQuery().where('p.id', '=', id)))[0];
    }),
});

const update = changeRoutes({
  ...sharedPipelineRoute,
  operationId: 'updatePipeline',
  path: `${trackerPath}/pipelines/:id`,
  summary: 'Rename a pipeline or make it the default',
  params: idParams,
  body: PipelineUpdate,
  responses: { 200: PipelineBody },
  problems: ['resource.conflict'],
  handler: ({ params, body, change }) =>
    change(async (tx) => {
      await updatePipeline(tx, params.id, body);
      return (await read(tx, tx.actor, pipelinesQuery().where('p.id', '=', params.id)))[0];
    }),
});

const remove = route({
  ...sharedPipelineRoute,
  operationId: 'deletePipeline',
  method: 'delete',
  path: `${trackerPath}/pipelines/:id`,
  summary: 'Archive a pipeline without prospects',
  params: idParams,
  responses: { 204: null },
  problems: ['resource.conflict'],
  handler: ({ params, change }) =>
    change(async (tx) => {
      await archivePipeline(tx, params.id);
      return reply(204);
    }),
});

const summary = route({
  ...trackerRoute,
  operationId: 'getPipelineSummary',
  method: 'get',
  path: `${trackerPath}/pipelines/:id/summary`,
  summary: 'Open prospects, value and weighted value by stage and currency',
  params: idParams,
  responses: { 200: PipelineSummaryBody },
  handler: async ({ actor, params, read }) => ({ items: await read(pipelineSummaryQuery(params.id, actor.user_id)) }),
});

export const pipelineRoutes = [
  list,
  create,
  get,
  ...update,
  remove,
  summary,
  ...pipelineStageRoutes,
];
