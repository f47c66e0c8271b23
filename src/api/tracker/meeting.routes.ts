import { sql } from 'kysely';
import { z } from 'zod';
import { logActivities } from '../../services/tracker/activity.service.ts';
import { activityTypes } from '../../domain/tracker/tracker-scoring.ts';
import { meetingOutcomes, meetingTypes } from '../../entities/tracker/meeting.entity.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { moment } from '../../platform/value-schemas.ts';
import { meetingColumns } from '../../services/tracker/meeting.queries.ts';
import { changeRoutes, ownerOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { day, freeText, idParams, queryId, rowId } from './tracker.schemas.ts';
import { ActivityBody } from './activity.schemas.ts';
import { MeetingBody } from './meeting.schemas.ts';
import { afterCursor } from '../../services/tracker/tracker-page.queries.ts';

const longText = freeText(20_000).nullable();

const meetingFields = {
  title: freeText(255).min(1),
  type: z.enum(meetingTypes),
  duration_minutes: z.int().min(1).max(1440),
  agenda: longText,
  questions: longText,
  follow_up_tasks: longText.describe('One task a line'),
  scheduled_at: moment.nullable(),
  prospect_id: rowId.nullable(),
};

async function findMeeting(tx: Tx, userId: string, id: number) {
  const row = await tx.sql
    .selectFrom('admin_meetings')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .select(meetingColumns)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw notFound('meeting');
  return row;
}

const createMeeting = route({
  ...trackerRoute,
  operationId: 'createMeeting',
  method: 'post',
  path: `${trackerPath}/meetings`,
  summary: 'Write a template, or with scheduled_at a planned meeting',
  body: z
    .strictObject({
      title: meetingFields.title,
      type: meetingFields.type,
      duration_minutes: meetingFields.duration_minutes.default(60),
      agenda: longText.default(null),
      questions: longText.default(null),
      follow_up_tasks: meetingFields.follow_up_tasks.default(null),
      scheduled_at: meetingFields.scheduled_at.default(null),
      prospect_id: meetingFields.prospect_id.default(null),
    })
    .meta({ id: 'AdminMeetingCreate' }),
  responses: { 201: MeetingBody },
  problems: ['resource.conflict'],
  handler: ({ actor, body, unitOfWork }) => unitOfWork((tx) => insertMeeting(tx, ownerOf(actor), body)),
});

type NewMeeting = Omit<z.infer<typeof MeetingBody>, 'id' | 'user_id' | 'outcome' | 'outcome_notes' | 'template_id' | 'created_at' | 'updated_at'> & {
  readonly template_id?: number;
};

async function insertMeeting(tx: Tx, user_id: string, meeting: NewMeeting) {
  const row = await tx.sql
    .insertInto('admin_meetings')
    .values({ ...meeting, user_id, tenant_id: tx.actor.tenant_id })
    .returning(meetingColumns)
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'meeting.create',
    action: 'create',
    resource_type: 'meeting',
    resource_id: String(row.id),
    new_values: row,
  });
  return row;
}

const getMeetings = route({
  ...trackerRoute,
  operationId: 'getMeetings',
  method: 'get',
  path: `${trackerPath}/meetings`,
  summary: 'Own meetings, newest first',
  query: z.strictObject({
    ...pageQuery,
    kind: z.enum(['template', 'planned']).optional(),
    type: z.enum(meetingTypes).optional(),
    prospect_id: queryId.optional(),
    from: moment.optional(),
    to: moment.optional(),
  }),
  responses: { 200: pageOf(MeetingBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, ...filter }, read }) => {
    let found = query
      .selectFrom('admin_meetings')
      .where('user_id', '=', ownerOf(actor))
      .where(afterCursor(cursor, 'created_at'))
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .select(meetingColumns);
    if (filter.kind !== undefined) found = found.where('scheduled_at', filter.kind === 'template' ? 'is' : 'is not', null);
    if (filter.type !== undefined) found = found.where('type', '=', filter.type);
    if (filter.prospect_id !== undefined) found = found.where('prospect_id', '=', filter.prospect_id);
    if (filter.from !== undefined) found = found.where('scheduled_at', '>=', filter.from);
    if (filter.to !== undefined) found = found.where('scheduled_at', '<', filter.to);
    return toPage(await read(found), limit, (row) => [row.created_at, String(row.id)], (row) => row);
  },
});

const getMeeting = route({
  ...trackerRoute,
  operationId: 'getMeeting',
  method: 'get',
  path: `${trackerPath}/meetings/:id`,
  summary: 'One meeting',
  params: idParams,
  responses: { 200: MeetingBody },
  handler: async ({ actor, params, read }) => {
    const [row] = await read(
      query
        .selectFrom('admin_meetings')
        .where('id', '=', params.id)
        .where('user_id', '=', ownerOf(actor))
        .select(meetingColumns),
    );
    if (row === undefined) throw notFound('meeting');
    return row;
  },
});

const updateMeeting = changeRoutes({
  ...trackerRoute,
  operationId: 'updateMeeting',
  path: `${trackerPath}/meetings/:id`,
  summary: 'Change what is sent; an outcome belongs to a planned meeting',
  params: idParams,
  body: z
    .strictObject({ ...meetingFields, outcome: z.enum(meetingOutcomes).nullable(), outcome_notes: longText })
    .partial()
    .meta({ id: 'AdminMeetingUpdate' }),
  responses: { 200: MeetingBody },
  problems: ['resource.conflict'],
  handler: ({ actor, params, body, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const before = await findMeeting(tx, ownerOf(actor), params.id);
      const { scheduled_at, outcome, outcome_notes } = { ...before, ...body };
      if (scheduled_at === null && (outcome !== null || outcome_notes !== null)) {
        throw new Problem({ code: 'resource.conflict', detail: 'A template has no outcome: plan a meeting first.' });
      }
      const row = await tx.sql
        .updateTable('admin_meetings')
        .set({ ...body, updated_at: sql<string>`now()` })
        .where('id', '=', params.id)
        .returning(meetingColumns)
        .executeTakeFirstOrThrow();
      tx.audit({
        event: 'meeting.update',
        action: 'update',
        resource_type: 'meeting',
        resource_id: String(row.id),
        old_values: before,
        new_values: body,
      });
      return row;
    }),
});

const deleteMeeting = route({
  ...trackerRoute,
  operationId: 'deleteMeeting',
  method: 'delete',
  path: `${trackerPath}/meetings/:id`,
  summary: 'Remove a meeting',
  params: idParams,
  responses: { 204: null },
  handler: ({ actor, params, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const before = await findMeeting(tx, ownerOf(actor), params.id);
      await tx.sql.deleteFrom('admin_meetings').where('id', '=', params.id).execute();
      tx.audit({
        event: 'meeting.delete',
        action: 'delete',
        resource_type: 'meeting',
        resource_id: String(before.id),
        old_values: before,
      });
      return reply(204);
    }),
});

const planMeeting = route({
  ...trackerRoute,
  operationId: 'planMeeting',
  method: 'post',
  path: `${trackerPath}/meetings/:id/plan`,
  summary: 'Plan a meeting like this one',
  params: idParams,
  body: z.strictObject({ scheduled_at: moment, prospect_id: rowId.nullable().default(null) }),
  responses: { 201: MeetingBody },
  problems: ['resource.conflict'],
  handler: ({ actor, params, body, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const { title, type, duration_minutes, agenda, questions, follow_up_tasks, id } = await findMeeting(tx, ownerOf(actor), params.id);
      const copy = { title, type, duration_minutes, agenda, questions, follow_up_tasks };
      return insertMeeting(tx, ownerOf(actor), { ...copy, ...body, template_id: id });
    }),
});

const createFollowUps = route({
  ...trackerRoute,
  operationId: 'createMeetingFollowUps',
  method: 'post',
  path: `${trackerPath}/meetings/:id/follow-ups`,
  summary: 'Make pending activities of follow-up tasks; each line once',
  params: idParams,
  body: z.strictObject({
    tasks: z
      .array(
        z.strictObject({
          line: z.int().min(1).max(1000).describe('Line of follow_up_tasks, from 1'),
          type: z.enum(activityTypes),
          date: day,
        }),
      )
      .min(1)
      .max(100),
  }),
  responses: { 201: z.object({ items: z.array(ActivityBody) }) },
  problems: ['resource.conflict', 'request.invalid'],
  handler: ({ actor, params, body, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const meeting = await findMeeting(tx, ownerOf(actor), params.id);
      const lines = (meeting.follow_up_tasks ?? '').split('\n').map((line) => line.trim());
      const missing = body.tasks.flatMap(({ line }, place) => ((lines[line - 1] ?? '') === '' ? [place] : []));
      if (missing.length > 0) {
        throw new Problem({
          code: 'request.invalid',
          detail: 'The meeting has no such follow-up task.',
          errors: missing.map((place) => ({ pointer: `/tasks/${place}/line`, detail: 'is an empty line' })),
        });
      }
      const items = await logActivities(
        tx,
        ownerOf(actor),
        body.tasks.map(({ line, type, date }) => ({
          type,
          date,
          status: 'pending' as const,
          notes: lines[line - 1] ?? null,
          prospect_id: meeting.prospect_id,
          meeting_id: meeting.id,
          follow_up_line: line,
        })),
      );
      return { items };
    }),
});

export const meetingRoutes = [
  createMeeting,
  getMeetings,
  getMeeting,
  ...updateMeeting,
  deleteMeeting,
  planMeeting,
  createFollowUps,
];
