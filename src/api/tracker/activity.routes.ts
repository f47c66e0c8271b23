import { z } from 'zod';
import { dayInput } from '../../platform/value-schemas.ts';
import { notFound } from '../../platform/problem.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { activitiesQuery, activityPageQuery, loadTodayActivities } from '../../services/tracker/activity.queries.ts';
import { deleteActivity, logActivities, updateActivity } from '../../services/tracker/activity.service.ts';
import { reply, route } from '../http/route.ts';
import { ActivityBody, ActivityCreate, ActivityUpdate, activityStatus, activityType } from './activity.schemas.ts';
import { changeRoutes, ownerOf, personOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { idParams, queryId } from './tracker.schemas.ts';

const create = route({
  ...trackerRoute,
  operationId: 'createActivity',
  method: 'post',
  path: `${trackerPath}/activities`,
  summary: 'Log an activity; the score of its day and the streaks are updated in the same transaction',
  body: ActivityCreate,
  responses: { 201: ActivityBody },
  problems: ['resource.conflict'],
  handler: ({ actor, body, deps, change }) =>
    change(async (tx) => {
      const [row] = await logActivities(tx, ownerOf(actor), [body], deps.now());
      return row;
    }),
});

const list = route({
  ...trackerRoute,
  operationId: 'getActivities',
  method: 'get',
  path: `${trackerPath}/activities`,
  summary: 'Own activities, newest first',
  query: z.strictObject({
    ...pageQuery,
    from: dayInput.optional(),
    to: dayInput.optional(),
    type: activityType.optional(),
    status: activityStatus.optional(),
    prospect_id: queryId.optional(),
  }),
  responses: { 200: pageOf(ActivityBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, ...filter }, read }) => {
    const rows = await read(activityPageQuery(ownerOf(actor), { limit, cursor }, filter));
    return toPage(rows, limit, (row) => [row.created_at, String(row.id)], (row) => row);
  },
});

const today = route({
  ...trackerRoute,
  operationId: 'getTodayActivities',
  method: 'get',
  path: `${trackerPath}/activities/today`,
  summary: 'Own activities of today in the caller’s time zone, newest first, as an array',
  responses: { 200: z.array(ActivityBody) },
  handler: ({ actor, deps }) => loadTodayActivities(deps, personOf(actor)),
});

const get = route({
  ...trackerRoute,
  operationId: 'getActivity',
  method: 'get',
  path: `${trackerPath}/activities/:id`,
  summary: 'One activity',
  params: idParams,
  responses: { 200: ActivityBody },
  handler: async ({ actor, params, read }) => {
    const [row] = await read(activitiesQuery(ownerOf(actor)).where('id', '=', params.id));
    if (row === undefined) throw notFound('activity');
    return row;
  },
});

const update = changeRoutes({
  ...trackerRoute,
  operationId: 'updateActivity',
  path: `${trackerPath}/activities/:id`,
  summary: 'Change status or notes; omitted fields are unchanged',
  params: idParams,
  body: ActivityUpdate,
  responses: { 200: ActivityBody },
  handler: ({ actor, params, body, deps, change }) =>
    change((tx) => updateActivity(tx, ownerOf(actor), params.id, body, deps.now())),
});

const remove = route({
  ...trackerRoute,
  operationId: 'deleteActivity',
  method: 'delete',
  path: `${trackerPath}/activities/:id`,
  summary: 'Remove an activity; the score of its day and the streaks are updated',
  params: idParams,
  responses: { 204: null },
  handler: ({ actor, params, change }) =>
    change(async (tx) => {
      await deleteActivity(tx, ownerOf(actor), params.id);
      return reply(204);
    }),
});

/** `today` is matched before the pattern of an id (S0-80). */
export const activityRoutes = [
  create,
  list,
  today,
  get,
  ...update,
  remove,
];
