import { sql } from 'kysely';
import type { CompiledQuery } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import { addDays, localMoment } from '../../domain/tracker/tracker-calendar.ts';
import type { Day, LocalMoment, WeekStart } from '../../domain/tracker/tracker-calendar.ts';
import type { RestCalendar, StreakDay } from '../../domain/tracker/tracker-streak.ts';
import { weeklyProgress } from '../../domain/tracker/tracker-weekly-progress.ts';
import type { Amounts } from '../../domain/tracker/tracker-weekly-progress.ts';
import { prepared } from '../../entities/prepared-query.ts';
import { query } from '../../entities/kysely-schema.ts';

/** What the tracker has to know about a person before it can say what "today" is. */
export interface TrackerPerson {
  readonly time_zone: string;
  readonly week_start: WeekStart;
  readonly calendar: RestCalendar;
  /** The person's clock at the moment that was asked about. */
  readonly moment: LocalMoment;
}

const personStatement = prepared<{ user_id: string }>()((param) =>
  query
    .selectFrom('users as u')
    .innerJoin('tenants as t', 't.id', 'u.tenant_id')
    .leftJoin('user_preferences as p', 'p.user_id', 'u.id')
    .leftJoin('admin_tracker_settings as s', 's.user_id', 'u.id')
    .where('u.id', '=', param('user_id'))
    .select((eb) => [
      eb.fn.coalesce('u.time_zone', 't.time_zone').as('time_zone'),
      eb.fn.coalesce('p.week_start', sql.lit<WeekStart>('monday')).as('week_start'),
      eb.fn.coalesce('s.rest_weekdays', sql<number[]>`'{}'::smallint[]`).as('rest_weekdays'),
      jsonArrayFrom(
        eb
          .selectFrom('admin_tracker_vacations as v')
          .whereRef('v.user_id', '=', 'u.id')
          .select(['v.starts_on', 'v.ends_on']),
      ).as('vacations'),
    ]),
);

/** Zone (own, else the tenant's; S0-86), begin of the week, free weekdays and vacations of a person. */
export function personQuery(userId: string) {
  return personStatement({ user_id: userId });
}

type PersonRow = ReturnType<ReturnType<typeof personQuery>['compile']> extends CompiledQuery<infer Row> ? Row : never;

/** Reads the row of {@link personQuery} at a moment, milliseconds since the epoch. */
export function trackerPerson({ time_zone, week_start, rest_weekdays, vacations }: PersonRow, now: number): TrackerPerson {
  return { time_zone, week_start, calendar: { rest_weekdays, vacations }, moment: localMoment(now, time_zone) };
}

/** The UTC day. A person's own day is at most one away from it, so reads can ask for a window before the zone is known. */
export function utcDay(now: number): Day {
  return new Date(now).toISOString().slice(0, 10);
}

/** More rows than a week has in reach, so that at least one row before the week is among them. */
const recentScoreRows = 24;

const recentScoresStatement = prepared<{ user_id: string; until: Day }>()((param) =>
  query
    .selectFrom('admin_scores')
    .where('user_id', '=', param('user_id'))
    .where('date', '<=', param('until'))
    .orderBy('date', 'desc')
    .limit(recentScoreRows)
    .select(['id', 'user_id', 'date', 'score', 'streak_days', 'activities_count', 'created_at', 'updated_at']),
);

/** The latest score rows of a person up to the end of his week, newest first. */
export function recentScoresQuery(userId: string, now: number) {
  return recentScoresStatement({ user_id: userId, until: addDays(utcDay(now), 8) });
}

/** A score row as the streak rules see it. */
export function streakDayOf(row: { date: Day; score: number; streak_days: number }): StreakDay {
  return { day: row.date, score: row.score, streak_days: row.streak_days };
}

/** Goals of a person with what was done in their weeks. */
export function goalsQuery(userId: string) {
  return query
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

type GoalRow = Awaited<ReturnType<ReturnType<typeof goalsQuery>['executeTakeFirstOrThrow']>>;

/** Goals whose week may be the present one, latest first; {@link currentGoal} picks. */
export function currentGoalsQuery(userId: string, now: number) {
  const today = utcDay(now);
  return goalsQuery(userId)
    .where('g.week_start', '>=', addDays(today, -7))
    .where('g.week_start', '<=', addDays(today, 1))
    .orderBy('g.week_start', 'desc');
}

/** The goal of today: the latest one whose seven days hold it. Weeks may begin on any day (S0-76). */
export function currentGoal(goals: readonly GoalRow[], today: Day): GoalRow | null {
  return goals.find(({ week_start }) => week_start <= today && today <= addDays(week_start, 6)) ?? null;
}

/** Where the week of a goal stands at the person's moment (S0-97). */
export function progressOfGoal(goal: GoalRow, { moment, calendar }: TrackerPerson) {
  const targets: Amounts = {
    discovery: goal.target_discoveries,
    email: goal.target_emails,
    video: goal.target_videos,
    call: goal.target_calls,
  };
  const { discovery, email, video, call } = goal;
  const progress = weeklyProgress(goal.week_start, targets, { discovery, email, video, call }, moment.day, calendar);
  return { goal_id: goal.id, ...progress };
}
