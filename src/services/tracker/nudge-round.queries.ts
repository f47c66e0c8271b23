import { sql } from 'kysely';
import type { CompiledQuery } from 'kysely';
import { addDays } from '../../domain/tracker/tracker-calendar.ts';
import type { NudgePolicy } from '../../domain/tracker/tracker-nudge-admission.ts';
import type { NudgeFacts } from '../../domain/tracker/tracker-nudge-rules.ts';
import { currentStreak, isFrozen } from '../../domain/tracker/tracker-streak.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { currentGoal, currentGoalsQuery, progressOfGoal } from './goal.queries.ts';
import { recentScoresQuery, streakDayOf } from './score.queries.ts';
import { personQuery, trackerPerson, utcDay } from './tracker-profile.queries.ts';
import { defaultTrackerSettings, trackerSettingsQuery } from './tracker-settings.queries.ts';

/** Items of a list that a digest counts at most. */
const listLimit = 100;
/** Age of the marks that are read. Whatever a rule can still announce, a day or a goal, is younger. */
const markWindowDays = 30;

/** The queries for everything that decides a person's nudges; sent together, one round trip. */
export function nudgeFactQueries(userId: string, now: number) {
  const today = utcDay(now);
  const time = new Date(now).toISOString();
  const openProspects = kysely
    .selectFrom('admin_prospects as p')
    .where('p.user_id', '=', userId)
    .where('p.status', '=', 'open')
    .where('p.deleted_at', 'is', null)
    .limit(listLimit)
    .select(['p.id', 'p.name']);
  return [
    personQuery(userId),
    recentScoresQuery(userId, now),
    currentGoalsQuery(userId, now),
    kysely
      .selectFrom('admin_activities')
      .where('user_id', '=', userId)
      .where('date', '>=', addDays(today, -1))
      .where('date', '<=', addDays(today, 1))
      .groupBy('date')
      .select(['date', sql<number>`count(*)`.as('activities')]),
    openProspects.where('p.next_activity_at', '<=', time).orderBy('p.next_activity_at').orderBy('p.id'),
    kysely
      .selectFrom('admin_meetings')
      .where('user_id', '=', userId)
      .where('outcome', 'is', null)
      .where(sql<boolean>`scheduled_at + make_interval(mins => duration_minutes) <= ${time}::timestamptz`)
      .orderBy('scheduled_at')
      .orderBy('id')
      .limit(listLimit)
      .select(['id', 'title as name']),
    openProspects
      .innerJoin('admin_pipeline_stages as s', 's.id', 'p.stage_id')
      .where(sql<boolean>`p.stage_entered_at + make_interval(days => s.rotting_days) <= ${time}::timestamptz`)
      .orderBy('p.stage_entered_at')
      .orderBy('p.id'),
    trackerSettingsQuery(userId),
    kysely
      .selectFrom('admin_nudge_marks')
      .where('user_id', '=', userId)
      .where('day', '>=', addDays(today, -markWindowDays))
      .select(['dedupe_key', 'day', 'delivered']),
  ] as const;
}

type Queries = ReturnType<typeof nudgeFactQueries>;
type RowsOf<Query> = Query extends { compile(): CompiledQuery<infer Row> } ? Row[] : never;
type RowsOfAll<All extends readonly unknown[]> = { -readonly [Index in keyof All]: RowsOf<All[Index]> };
type FactRows = RowsOfAll<Queries>;

/** What the rules know about a person, and what the person allows. */
interface PersonalNudges {
  readonly facts: NudgeFacts;
  readonly policy: NudgePolicy;
  readonly settled_keys: ReadonlySet<string>;
  readonly delivered_today: number;
  readonly time_zone: string;
}

/** Reads the answers of {@link nudgeFactQueries}; null when the person does not exist any more. */
export function personalNudges(rows: FactRows, now: number): PersonalNudges | null {
  const [[row], scores, goals, activities, follow_ups, open_meetings, rotting, [settings], marks] = rows;
  if (row === undefined) return null;
  const person = trackerPerson(row, now);
  const { local_time, calendar } = person;
  const known = scores.filter(({ date }) => date <= local_time.day).map(streakDayOf);
  const goal = currentGoal(goals, local_time.day);
  const { quiet_from_minute, quiet_to_minute, daily_nudge_cap } = settings ?? defaultTrackerSettings;
  return {
    facts: {
      local_time,
      is_free_day: isFrozen(local_time.day, calendar),
      activities_today: activities.find(({ date }) => date === local_time.day)?.activities ?? 0,
      score_today: known.find(({ day }) => day === local_time.day)?.score ?? 0,
      streak_days: currentStreak(known, local_time.day, calendar),
      goal: goal === null ? null : { id: goal.id, progress: progressOfGoal(goal, person) },
      follow_ups,
      open_meetings,
      rotting,
    },
    policy: { quiet_from_minute, quiet_to_minute, daily_cap: daily_nudge_cap },
    settled_keys: new Set(marks.map(({ dedupe_key }) => dedupe_key)),
    delivered_today: marks.filter(({ day, delivered }) => delivered && day === local_time.day).length,
    time_zone: person.time_zone,
  };
}

/** The next tenants that have nudge rounds, of all tenants, in the order of their ids. */
export function nudgeTenantsQuery(after: string | null, limit: number) {
  return kysely
    .selectFrom(sql<{ tenant_id: string }>`nudge_tenants(${after}::uuid, ${limit}::integer)`.as('t'))
    .select('t.tenant_id');
}

const tablesOfTrackerUsers = ['admin_goals', 'admin_activities', 'admin_prospects', 'admin_meetings'] as const;

/** The next people who keep a tracker, in the order of their ids; nobody in a tenant that is suspended. */
export function trackerUsersQuery(after: string | null, limit: number) {
  const users = kysely
    .selectFrom('users as u')
    .innerJoin('tenants as t', 't.id', 'u.tenant_id')
    .where('u.status', '=', 'active')
    .where('t.status', '=', 'active')
    .where((eb) =>
      eb.or(
        tablesOfTrackerUsers.map((table) =>
          eb.exists(eb.selectFrom(table).whereRef(`${table}.user_id`, '=', 'u.id').select(sql<number>`1`.as('one'))),
        ),
      ),
    )
    .orderBy('u.id')
    .limit(limit)
    .select('u.id');
  return after === null ? users : users.where('u.id', '>', after);
}
