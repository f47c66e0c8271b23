import { z } from 'zod';
import { changeActivity, logActivities, removeActivity } from '../../services/tracker/activity.service.ts';
import { addDays } from '../../domain/tracker/tracker-calendar.ts';
import { activityStatuses, activityTypes } from '../../domain/tracker/tracker-scoring.ts';
import { query } from '../../entities/kysely-schema.ts';
import { personQuery, trackerPerson, utcDay } from '../../services/tracker/tracker-profile.queries.ts';
import { notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import {
  afterCursor,
  changeRoutes,
  day,
  freeText,
  idParams,
  ownerOf,
  queryId,
  rowId,
  trackerPath,
  trackerRoute,
} from './tracker-route-defaults.ts';
import { ActivityBody } from './tracker.schemas.ts';

const type = z.enum(activityTypes);
const status = z.enum(activityStatuses);
const notes = freeText(10_000);

const activityColumns = [
  'id',
  'user_id',
  'type',
  'status',
  'date',
  'amount',
  'notes',
  'prospect_id',
  'meeting_id',
  'created_at',
  'updated_at',
] as const;

const createActivity = route({
  ...trackerRoute,
  operationId: 'createActivity',
  method: 'post',
  path: `${trackerPath}/activities`,
  summary: 'Log an activity; the score of its day and the streaks follow in the same transaction',
  body: z
    .strictObject({
      type,
      status,
      date: day,
      amount: z.int().min(1).max(10_000).default(1),
      notes: notes.nullable().default(null),
      prospect_id: rowId.nullable().default(null),
    })
    .meta({ id: 'AdminActivityCreate' }),
  responses: { 201: ActivityBody },
  problems: ['resource.conflict'],
  handler: async ({ actor, body, unitOfWork }) => {
    const [row] = await unitOfWork((tx) => logActivities(tx, ownerOf(actor), [body]));
    return row;
  },
});

const getActivities = route({
  ...trackerRoute,
  operationId: 'getActivities',
  method: 'get',
  path: `${trackerPath}/activities`,
  summary: 'Own activities, newest first',
  query: z.strictObject({
    ...pageQuery,
    from: day.optional(),
    to: day.optional(),
    type: type.optional(),
    status: status.optional(),
    prospect_id: queryId.optional(),
  }),
  responses: { 200: pageOf(ActivityBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, ...filter }, read }) => {
    let found = query
      .selectFrom('admin_activities')
      .where('user_id', '=', ownerOf(actor))
      .where(afterCursor(cursor, 'created_at'))
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .select(activityColumns);
    if (filter.from !== undefined) found = found.where('date', '>=', filter.from);
    if (filter.to !== undefined) found = found.where('date', '<=', filter.to);
    if (filter.type !== undefined) found = found.where('type', '=', filter.type);
    if (filter.status !== undefined) found = found.where('status', '=', filter.status);
    if (filter.prospect_id !== undefined) found = found.where('prospect_id', '=', filter.prospect_id);
    return toPage(await read(found), limit, (row) => [row.created_at, String(row.id)], (row) => row);
  },
});

const getTodayActivities = route({
  ...trackerRoute,
  operationId: 'getTodayActivities',
  method: 'get',
  path: `${trackerPath}/activities/today`,
  summary: 'Own activities of today in the own time zone, newest first, as an array',
  responses: { 200: z.array(ActivityBody) },
  handler: async ({ actor, deps, scope }) => {
    const userId = ownerOf(actor);
    const now = deps.now();
    const today = utcDay(now);
    const [[person], rows] = await readAll(deps.db, scope, [
      personQuery(userId),
      query
        .selectFrom('admin_activities')
        .where('user_id', '=', userId)
        .where('date', '>=', addDays(today, -1))
        .where('date', '<=', addDays(today, 1))
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .select(activityColumns),
    ]);
    if (person === undefined) throw notFound('user');
    const { moment } = trackerPerson(person, now);
    return rows.filter(({ date }) => date === moment.day);
  },
});

const getActivity = route({
  ...trackerRoute,
  operationId: 'getActivity',
  method: 'get',
  path: `${trackerPath}/activities/:id`,
  summary: 'One activity',
  params: idParams,
  responses: { 200: ActivityBody },
  handler: async ({ actor, params, read }) => {
    const [row] = await read(
      query
        .selectFrom('admin_activities')
        .where('id', '=', params.id)
        .where('user_id', '=', ownerOf(actor))
        .select(activityColumns),
    );
    if (row === undefined) throw notFound('activity');
    return row;
  },
});

const updateActivity = changeRoutes({
  ...trackerRoute,
  operationId: 'updateActivity',
  path: `${trackerPath}/activities/:id`,
  summary: 'Change status or notes; what is left out stays',
  params: idParams,
  body: z
    .strictObject({ status: status.optional(), notes: notes.nullable().optional() })
    .meta({ id: 'AdminActivityUpdate' }),
  responses: { 200: ActivityBody },
  handler: ({ actor, params, body, unitOfWork }) =>
    unitOfWork((tx) => changeActivity(tx, ownerOf(actor), params.id, body)),
});

const deleteActivity = route({
  ...trackerRoute,
  operationId: 'deleteActivity',
  method: 'delete',
  path: `${trackerPath}/activities/:id`,
  summary: 'Remove an activity; the score of its day and the streaks follow',
  params: idParams,
  responses: { 204: null },
  handler: async ({ actor, params, unitOfWork }) => {
    await unitOfWork((tx) => removeActivity(tx, ownerOf(actor), params.id));
    return reply(204);
  },
});

/** `today` stands before the pattern of an id (S0-80). */
export const activityRoutes = [
  createActivity,
  getActivities,
  getTodayActivities,
  getActivity,
  ...updateActivity,
  deleteActivity,
];
