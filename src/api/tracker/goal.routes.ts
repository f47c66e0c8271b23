import { sql } from 'kysely';
import { z } from 'zod';
import { weekStartOf } from '../../domain/tracker/tracker-calendar.ts';
import { query } from '../../entities/kysely-schema.ts';
import { currentGoal, currentGoalsQuery, goalsQuery, personQuery, progressOfGoal, trackerPerson } from '../../services/tracker/tracker-profile.queries.ts';
import { notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { afterCursor, changeRoutes, day, idParams, ownerOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { GoalBody, GoalProgressBody } from './tracker.schemas.ts';

const target = z.int().min(0).max(100_000);

const goalColumns = [
  'id',
  'user_id',
  'week_start',
  'target_discoveries',
  'target_emails',
  'target_videos',
  'target_calls',
  'created_at',
  'updated_at',
] as const;

const createGoal = route({
  ...trackerRoute,
  operationId: 'createGoal',
  method: 'post',
  path: `${trackerPath}/goals`,
  summary: 'Set the goals of a week; one row for each person and week',
  query: z.strictObject({
    normalize: z
      .enum(['monday', 'week_start'])
      .optional()
      .describe('Move week_start back to the Monday, or to the first day of the own week'),
  }),
  body: z
    .strictObject({
      week_start: day,
      target_discoveries: target.default(0),
      target_emails: target.default(0),
      target_videos: target.default(0),
      target_calls: target.default(0),
    })
    .meta({ id: 'AdminGoalCreate' }),
  responses: { 201: GoalBody },
  problems: ['resource.conflict'],
  handler: async ({ actor, body, query: { normalize }, deps, read, unitOfWork }) => {
    const user_id = ownerOf(actor);
    let { week_start } = body;
    if (normalize === 'monday') week_start = weekStartOf(week_start, 'monday');
    if (normalize === 'week_start') {
      const [row] = await read(personQuery(user_id));
      if (row === undefined) throw notFound('user');
      week_start = weekStartOf(week_start, trackerPerson(row, deps.now()).week_start);
    }
    return unitOfWork(async (tx) => {
      const goal = await tx.sql
        .insertInto('admin_goals')
        .values({ ...body, week_start, user_id, tenant_id: actor.tenant_id })
        .returning(goalColumns)
        .executeTakeFirstOrThrow();
      tx.audit({
        event: 'goal.create',
        action: 'create',
        resource_type: 'goal',
        resource_id: String(goal.id),
        new_values: goal,
      });
      return goal;
    });
  },
});

const getGoals = route({
  ...trackerRoute,
  operationId: 'getGoals',
  method: 'get',
  path: `${trackerPath}/goals`,
  summary: 'Own goals, latest week first',
  query: z.strictObject({ ...pageQuery, from: day.optional(), to: day.optional() }),
  responses: { 200: pageOf(GoalBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, from, to }, read }) => {
    const rows = await read(
      query
        .selectFrom('admin_goals')
        .where('user_id', '=', ownerOf(actor))
        .where(afterCursor(cursor, 'week_start'))
        .$if(from !== undefined, (q) => q.where('week_start', '>=', from ?? ''))
        .$if(to !== undefined, (q) => q.where('week_start', '<=', to ?? ''))
        .orderBy('week_start', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .select(goalColumns),
    );
    return toPage(rows, limit, (row) => [row.week_start, String(row.id)], (row) => row);
  },
});

const getCurrentProgress = route({
  ...trackerRoute,
  operationId: 'getWeeklyProgress',
  method: 'get',
  path: `${trackerPath}/goals/progress`,
  summary: 'Where the present week stands: target, done, expected by now, projection and state',
  responses: { 200: GoalProgressBody },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, scope }) => {
    const userId = ownerOf(actor);
    const now = deps.now();
    const [[row], goals] = await readAll(deps.db, scope, [personQuery(userId), currentGoalsQuery(userId, now)]);
    if (row === undefined) throw notFound('user');
    const person = trackerPerson(row, now);
    const goal = currentGoal(goals, person.moment.day);
    if (goal === null) throw notFound('goal for this week');
    return progressOfGoal(goal, person);
  },
});

const getGoalProgress = route({
  ...trackerRoute,
  operationId: 'getGoalProgress',
  method: 'get',
  path: `${trackerPath}/goals/:id/progress`,
  summary: 'Where the week of a goal stands, or how it ended',
  params: idParams,
  responses: { 200: GoalProgressBody },
  handler: async ({ actor, params, deps, scope }) => {
    const userId = ownerOf(actor);
    const [[row], [goal]] = await readAll(deps.db, scope, [
      personQuery(userId),
      goalsQuery(userId).where('g.id', '=', params.id),
    ]);
    if (row === undefined || goal === undefined) throw notFound('goal');
    return progressOfGoal(goal, trackerPerson(row, deps.now()));
  },
});

const getGoal = route({
  ...trackerRoute,
  operationId: 'getGoal',
  method: 'get',
  path: `${trackerPath}/goals/:id`,
  summary: 'One goal',
  params: idParams,
  responses: { 200: GoalBody },
  handler: async ({ actor, params, read }) => {
    const [goal] = await read(
      query
        .selectFrom('admin_goals')
        .where('id', '=', params.id)
        .where('user_id', '=', ownerOf(actor))
        .select(goalColumns),
    );
    if (goal === undefined) throw notFound('goal');
    return goal;
  },
});

const updateGoal = changeRoutes({
  ...trackerRoute,
  operationId: 'updateGoal',
  path: `${trackerPath}/goals/:id`,
  summary: 'Change targets; what is left out stays, the week never changes',
  params: idParams,
  body: z
    .strictObject({
      target_discoveries: target.optional(),
      target_emails: target.optional(),
      target_videos: target.optional(),
      target_calls: target.optional(),
    })
    .meta({ id: 'AdminGoalUpdate' }),
  responses: { 200: GoalBody },
  handler: ({ actor, params, body, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const user_id = ownerOf(actor);
      const before = await tx.sql
        .selectFrom('admin_goals')
        .where('id', '=', params.id)
        .where('user_id', '=', user_id)
        .select(goalColumns)
        .forUpdate()
        .executeTakeFirst();
      if (before === undefined) throw notFound('goal');
      const goal = await tx.sql
        .updateTable('admin_goals')
        .set({ ...body, updated_at: sql<string>`now()` })
        .where('id', '=', params.id)
        .returning(goalColumns)
        .executeTakeFirstOrThrow();
      tx.audit({
        event: 'goal.update',
        action: 'update',
        resource_type: 'goal',
        resource_id: String(goal.id),
        old_values: before,
        new_values: goal,
      });
      return goal;
    }),
});

const deleteGoal = route({
  ...trackerRoute,
  operationId: 'deleteGoal',
  method: 'delete',
  path: `${trackerPath}/goals/:id`,
  summary: 'Remove a goal',
  params: idParams,
  responses: { 204: null },
  handler: ({ actor, params, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const goal = await tx.sql
        .deleteFrom('admin_goals')
        .where('id', '=', params.id)
        .where('user_id', '=', ownerOf(actor))
        .returning(goalColumns)
        .executeTakeFirst();
      if (goal === undefined) throw notFound('goal');
      tx.audit({
        event: 'goal.delete',
        action: 'delete',
        resource_type: 'goal',
        resource_id: String(goal.id),
        old_values: goal,
      });
      return reply(204);
    }),
});

export const goalRoutes = [
  createGoal,
  getGoals,
  getCurrentProgress,
  getGoalProgress,
  getGoal,
  ...updateGoal,
  deleteGoal,
];
