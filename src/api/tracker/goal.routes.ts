import { z } from 'zod';
import { dayInput } from '../../platform/value-schemas.ts';
import { notFound } from '../../platform/problem.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import {
  goalPageQuery,
  goalsQuery,
  loadCurrentProgress,
  loadGoalProgress,
} from '../../services/tracker/goal.queries.ts';
import { createGoal, deleteGoal, goalWeekStart, updateGoal } from '../../services/tracker/goal.service.ts';
import { reply, route } from '../http/route.ts';
import { GoalBody, GoalCreate, GoalProgressBody, GoalUpdate } from './goal.schemas.ts';
import { changeRoutes, ownerOf, personOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { idParams } from './tracker.schemas.ts';

const create = route({
  ...trackerRoute,
  operationId: 'createGoal',
  method: 'post',
  path: `${trackerPath}/goals`,
  summary: 'Set the goals of a week; one row for each user and week',
  query: z.strictObject({
    normalize: z
      .enum(['monday', 'week_start'])
      .optional()
      .describe('Move week_start back to the Monday, or to the first day of the caller’s week'),
  }),
  body: GoalCreate,
  responses: { 201: GoalBody },
  problems: ['resource.conflict'],
  handler: async ({ actor, body, query: { normalize }, deps, change }) => {
    const week_start = await goalWeekStart(deps, personOf(actor), body.week_start, normalize);
    return change((tx) => createGoal(tx, ownerOf(actor), { ...body, week_start }));
  },
});

const list = route({
  ...trackerRoute,
  operationId: 'getGoals',
  method: 'get',
  path: `${trackerPath}/goals`,
  summary: 'Own goals, latest week first',
  query: z.strictObject({ ...pageQuery, from: dayInput.optional(), to: dayInput.optional() }),
  responses: { 200: pageOf(GoalBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, ...weeks }, read }) => {
    const rows = await read(goalPageQuery(ownerOf(actor), { limit, cursor }, weeks));
    return toPage(rows, limit, (row) => [row.week_start, String(row.id)], (row) => row);
  },
});

const currentProgress = route({
  ...trackerRoute,
  operationId: 'getWeeklyProgress',
  method: 'get',
  path: `${trackerPath}/goals/progress`,
  summary: 'Progress of the current week: target, done, expected by now, projection and state',
  responses: { 200: GoalProgressBody },
  problems: ['resource.not-found'],
  handler: ({ actor, deps }) => loadCurrentProgress(deps, personOf(actor)),
});

const progress = route({
  ...trackerRoute,
  operationId: 'getGoalProgress',
  method: 'get',
  path: `${trackerPath}/goals/:id/progress`,
  summary: 'Progress of the week of a goal, or its final result',
  params: idParams,
  responses: { 200: GoalProgressBody },
  handler: ({ actor, params, deps }) => loadGoalProgress(deps, personOf(actor), params.id),
});

const get = route({
  ...trackerRoute,
  operationId: 'getGoal',
  method: 'get',
  path: `${trackerPath}/goals/:id`,
  summary: 'One goal',
  params: idParams,
  responses: { 200: GoalBody },
  handler: async ({ actor, params, read }) => {
    const [goal] = await read(goalsQuery(ownerOf(actor)).where('id', '=', params.id));
    if (goal === undefined) throw notFound('goal');
    return goal;
  },
});

const update = changeRoutes({
  ...trackerRoute,
  operationId: 'updateGoal',
  path: `${trackerPath}/goals/:id`,
  summary: 'Change targets; omitted fields are unchanged, and the week cannot be changed',
  params: idParams,
  body: GoalUpdate,
  responses: { 200: GoalBody },
  handler: ({ actor, params, body, change }) =>
    change((tx) => updateGoal(tx, ownerOf(actor), params.id, body)),
});

const remove = route({
  ...trackerRoute,
  operationId: 'deleteGoal',
  method: 'delete',
  path: `${trackerPath}/goals/:id`,
  summary: 'Remove a goal',
  params: idParams,
  responses: { 204: null },
  handler: ({ actor, params, change }) =>
    change(async (tx) => {
      await deleteGoal(tx, ownerOf(actor), params.id);
      return reply(204);
    }),
});

/** `progress` is matched before the pattern of an id. */
export const goalRoutes = [
  create,
  list,
  currentProgress,
  progress,
  get,
  ...update,
  remove,
];
