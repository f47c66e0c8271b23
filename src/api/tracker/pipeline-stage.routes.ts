import { archiveStage, createStage, updateStage } from '../../services/tracker/pipeline/pipeline-stage.service.ts';
import { reply, route } from '../http/route.ts';
import { StageBody, StageCreate, StageUpdate } from './pipeline.schemas.ts';
import { changeRoutes, sharedPipelineRoute, trackerPath } from './tracker-route-defaults.ts';
import { idParams, stageParams } from './tracker.schemas.ts';

const create = route({
  ...sharedPipelineRoute,
  operationId: 'createPipelineStage',
  method: 'post',
  path: `${trackerPath}/pipelines/:id/stages`,
  summary: 'Add a stage, at the end unless a position is given',
  params: idParams,
  body: StageCreate,
  responses: { 201: StageBody },
  problems: ['resource.conflict'],
  handler: ({ params, body, change }) =>
    change(async (tx) => reply(201, await createStage(tx, params.id, body), { location: `${trackerPath}/pipelines/${params.id}` })),
});

const update = changeRoutes({
  ...sharedPipelineRoute,
  operationId: 'updatePipelineStage',
  path: `${trackerPath}/pipelines/:id/stages/:stageId`,
  summary: 'Change a stage; prospects in it keep their probability until they move',
  params: stageParams,
  body: StageUpdate,
  responses: { 200: StageBody },
  problems: ['resource.conflict'],
  handler: ({ params, body, change }) => change((tx) => updateStage(tx, params.id, params.stageId, body)),
});

const remove = route({
  ...sharedPipelineRoute,
  operationId: 'deletePipelineStage',
  method: 'delete',
  path: `${trackerPath}/pipelines/:id/stages/:stageId`,
  summary: 'Archive an empty stage, unless it is the last one',
  params: stageParams,
  responses: { 204: null },
  problems: ['resource.conflict'],
  handler: ({ params, change }) =>
    change(async (tx) => {
      await archiveStage(tx, params.id, params.stageId);
      return reply(204);
    }),
});

/** The routes of a pipeline's stages. */
export const pipelineStageRoutes = [create, ...update, remove];
