import { sql } from 'kysely';
import { addDays } from '../../domain/tracker/tracker-calendar.ts';
import type { Day } from '../../domain/tracker/tracker-calendar.ts';
import { weeklyProgress } from '../../domain/tracker/tracker-weekly-progress.ts';
import type { Amounts } from '../../domain/tracker/tracker-weekly-progress.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { readAll } from '../../platform/database/read.ts';
import { goalColumns } from './goal.repository.ts';
import { latestFirst } from './tracker-page.queries.ts';
import { personQuery, trackerPerson, utcDay } from './tracker-profile.queries.ts';
import type { Person, TrackerPerson } from './tracker-profile.queries.ts';

/** All goals of a person. */
export function goalsQuery(userId: string) {
  return kysely.selectFrom('admin_goals').where('user_id', '=', userId).select(goalColumns);
}

/** A page of the goals of a person, latest week first. @param weeks first and last `week_start`, both included. */
export function goalPageQuery(
  userId: string,
  page: Page,
  weeks: { readonly from?: Day | undefined; readonly to?: Day | undefined },
) {
  let list = goalsQuery(userId).$call(latestFirst(page, { sort: 'week_start', id: 'id' }));
  if (weeks.from !== undefined) list = list.where('week_start', '>=', weeks.from);
  if (weeks.to !== undefined) list = list.where('week_start', '<=', weeks.to);
  return list;
}

/** Goals of a person with the amounts done in their weeks. */
function goalProgressQuery(userId: string) {
  return kysely
    .selectFrom('admin_goals as g')
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('admin_activities as a')
          .whereRef('a.user_id', '=', 'g.user_id')
          .where('a.status', '=', 'done')
          .where(sql<boolean>`a.date between g.week_start and g.week_start + 6`)
          .select([doneOf('discovery'), doneOf('email'), doneOf('video'), doneOf('call')])
          .as('d'),
      (join) => join.onTrue(),
    )
    .where('g.user_id', '=', userId)
    .select(['g.id', 'g.week_start', 'g.target_discoveries', 'g.target_emails', 'g.target_videos', 'g.target_calls'])
    .select((eb) => [
      eb.fn.coalesce('d.discovery', sql.lit(0)).as('discovery'),
      eb.fn.coalesce('d.email', sql.lit(0)).as('email'),
      eb.fn.coalesce('d.video', sql.lit(0)).as('video'),
      eb.fn.coalesce('d.call', sql.lit(0)).as('call'),
    ]);
}

function doneOf<Type extends keyof Amounts>(type: Type) {
  return sql<number>`sum(a.amount) filter (where a.type = ${sql.lit(type)})`.as(type);
}

type GoalRow = Awaited<ReturnType<ReturnType<typeof goalProgressQuery>['executeTakeFirstOrThrow']>>;

/** Goals whose week may be the present one, latest first; {@link currentGoal} picks the one. */
export function currentGoalsQuery(userId: string, now: number) {
  const today = utcDay(now);
  return goalProgressQuery(userId)
    .where('g.week_start', '>=', addDays(today, -7))
    .where('g.week_start', '<=', addDays(today, 1))
    .orderBy('g.week_start', 'desc');
}

/** The goal of a day: the latest one whose seven days contain it. Weeks may begin on any day (S0-76). */
export function currentGoal(goals: readonly GoalRow[], today: Day): GoalRow | null {
  return goals.find(({ week_start }) => week_start <= today && today <= addDays(week_start, 6)) ?? null;
}

/** Progress of a goal's week as of the person's present day (S0-97). */
export function progressOfGoal(goal: GoalRow, { local_time, calendar }: TrackerPerson) {
  const targets: Amounts = {
    discovery: goal.target_discoveries,
    email: goal.target_emails,
    video: goal.target_videos,
    call: goal.target_calls,
  };
  const { discovery, email, video, call } = goal;
  const progress = weeklyProgress(goal.week_start, targets, { discovery, email, video, call }, local_time.day, calendar);
  return { goal_id: goal.id, ...progress };
}

/** Progress of the person's goal for the present week. @throws Problem `resource.not-found` when there is none. */
export async function loadCurrentProgress(
  { db, now }: Pick<ProcessDeps, 'db' | 'now'>,
  { tenant_id, user_id }: Person,
) {
  const time = now();
  const queries = [personQuery(user_id), currentGoalsQuery(user_id, time)] as const;
  const [[row], goals] = await readAll(db, { tenant_id, user_id }, queries);
  if (row === undefined) throw notFound('user');
  const person = trackerPerson(row, time);
  const goal = currentGoal(goals, person.local_time.day);
  if (goal === null) throw notFound('goal for this week');
  return progressOfGoal(goal, person);
}

/** Progress of one goal. @throws Problem `resource.not-found` when the person has no such goal. */
export async function loadGoalProgress(
  { db, now }: Pick<ProcessDeps, 'db' | 'now'>,
  { tenant_id, user_id }: Person,
  id: number,
) {
  const queries = [personQuery(user_id), goalProgressQuery(user_id).where('g.id', '=', id)] as const;
  const [[row], [goal]] = await readAll(db, { tenant_id, user_id }, queries);
  if (row === undefined || goal === undefined) throw notFound('goal');
  return progressOfGoal(goal, trackerPerson(row, now()));
}
