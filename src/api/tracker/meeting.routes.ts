import { z } from 'zod';
import { pageOf, toPage } from '../../platform/database/keyset-page.ts';
import { notFound } from '../../platform/problem.ts';
import { meetingPageQuery, meetingsQuery } from '../../services/tracker/meeting.queries.ts';
import {
  createFollowUps,
  createMeeting,
  deleteMeeting,
  planMeeting,
  updateMeeting,
} from '../../services/tracker/meeting.service.ts';
import { reply, route } from '../http/route.ts';
import { ActivityBody } from './activity.schemas.ts';
import {
  MeetingBody,
  MeetingCreate,
  MeetingFollowUps,
  meetingListQuery,
  MeetingPlan,
  MeetingUpdate,
} from './meeting.schemas.ts';
import { changeRoutes, ownerOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { idParams } from './tracker.schemas.ts';

const path = `${trackerPath}/meetings`;

const create = route({
  ...trackerRoute,
  operationId: 'createMeeting',
  method: 'post',
  path,
  summary: 'Create a template, or with scheduled_at a planned meeting',
  body: MeetingCreate,
  responses: { 201: MeetingBody },
  problems: ['resource.conflict'],
  handler: ({ actor, body, change }) => change((tx) => createMeeting(tx, ownerOf(actor), body)),
});

const list = route({
  ...trackerRoute,
  operationId: 'getMeetings',
  method: 'get',
  path,
  summary: 'Own meetings, newest first',
  query: meetingListQuery,
  responses: { 200: pageOf(MeetingBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, ...filter }, read }) => {
    const rows = await read(meetingPageQuery(ownerOf(actor), { limit, cursor }, filter));
    return toPage(rows, limit, (row) => [row.created_at, String(row.id)], (row) => row);
  },
});

const get = route({
  ...trackerRoute,
  operationId: 'getMeeting',
  method: 'get',
  path: `${path}/:id`,
  summary: 'One meeting',
  params: idParams,
  responses: { 200: MeetingBody },
  handler: async ({ actor, params, read }) => {
    const [row] = await read(meetingsQuery(ownerOf(actor)).where('id', '=', params.id));
    if (row === undefined) throw notFound('meeting');
    return row;
  },
});

const update = changeRoutes({
  ...trackerRoute,
  operationId: 'updateMeeting',
  path: `${path}/:id`,
  summary: 'Change the fields that are sent; only a planned meeting has an outcome',
  params: idParams,
  body: MeetingUpdate,
  responses: { 200: MeetingBody },
  problems: ['resource.conflict'],
  handler: ({ actor, params, body, change }) =>
    change((tx) => updateMeeting(tx, ownerOf(actor), params.id, body)),
});

const remove = route({
  ...trackerRoute,
  operationId: 'deleteMeeting',
  method: 'delete',
  path: `${path}/:id`,
  summary: 'Remove a meeting',
  params: idParams,
  responses: { 204: null },
  handler: ({ actor, params, change }) =>
    change(async (tx) => {
      await deleteMeeting(tx, ownerOf(actor), params.id);
      return reply(204);
    }),
});

const plan = route({
  ...trackerRoute,
  operationId: 'planMeeting',
  method: 'post',
  path: `${path}/:id/plan`,
  summary: 'Plan a meeting as a copy of this one',
  params: idParams,
  body: MeetingPlan,
  responses: { 201: MeetingBody },
  problems: ['resource.conflict'],
  handler: ({ actor, params, body, change }) =>
    change(async (tx) => {
      const planned = await planMeeting(tx, ownerOf(actor), params.id, body);
      return reply(201, planned, { location: `${path}/${planned.id}` });
    }),
});

const followUp = route({
  ...trackerRoute,
  operationId: 'createMeetingFollowUps',
  method: 'post',
  path: `${path}/:id/follow-ups`,
  summary: 'Create pending activities from follow-up tasks; each line once',
  params: idParams,
  body: MeetingFollowUps,
  responses: { 201: z.object({ items: z.array(ActivityBody) }) },
  problems: ['resource.conflict', 'request.invalid'],
  handler: ({ actor, deps, params, body, change }) => change(async (tx) => ({
    items: await createFollowUps(tx, ownerOf(actor), params.id, body.tasks, deps.now()),
  })),
});

export const meetingRoutes = [create, list, get, ...update, remove, plan, followUp];
