import { sql } from 'kysely';
import type { CompiledQuery } from 'kysely';
import { addDays } from '../../domain/tracker/tracker-calendar.ts';
import type { NudgePolicy } from '../../domain/tracker/tracker-nudge-admission.ts';
import type { NudgeFacts } from '../../domain/tracker/tracker-nudge-rules.ts';
import { currentStreak, isFrozen } from '../../domain/tracker/tracker-streak.ts';
import { query } from '../../entities/kysely-schema.ts';
import {
  currentGoal,
  currentGoalsQuery,
  personQuery,
  progressOfGoal,
  recentScoresQuery,
  streakDayOf,
  trackerPerson,
  utcDay,
} from './tracker-profile.queries.ts';

/** How many things of a list a digest counts. */
const listLimit = 100;
/** Marks of this many days decide what was announced; goals and days that still come up are younger. */
const marksReachDays = 30;

/** The queries that tell all a person's nudges hang on; one round trip together. */
export function nudgeFactQueries(userId: string, now: number) {
  const today = utcDay(now);
  const moment = new Date(now).toISOString();
  const openProspects = query
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
    query
      .selectFrom('admin_activities')
      .where('user_id', '=', userId)
      .where('date', '>=', addDays(today, -1))
      .where('date', '<=', addDays(today, 1))
      .groupBy('date')
      .select(['date', sql<number>`count(*)`.as('activities')]),
    openProspects.where('p.next_activity_at', '<=', moment).orderBy('p.next_activity_at').orderBy('p.id'),
    query
      .selectFrom('admin_meetings')
      .where('user_id', '=', userId)
      .where('outcome', 'is', null)
      .where(sql<boolean>`scheduled_at + make_interval(mins => duration_minutes) <= ${moment}::timestamptz`)
      .orderBy('scheduled_at')
      .orderBy('id')
      .limit(listLimit)
      .select(['id', 'title as name']),
    openProspects
      .innerJoin('admin_pipeline_stages as s', 's.id', 'p.stage_id')
      .where(sql<boolean>`p.stage_entered_at + make_interval(days => s.rotting_days) <= ${moment}::timestamptz`)
      .orderBy('p.stage_entered_at')
      .orderBy('p.id'),
    query
      .selectFrom('admin_tracker_settings')
      .where('user_id', '=', userId)
      .select(['quiet_from_minute', 'quiet_to_minute', 'daily_nudge_cap']),
    query
      .selectFrom('admin_nudge_marks')
      .where('user_id', '=', userId)
      .where('day', '>=', addDays(today, -marksReachDays))
      .select(['dedupe_key', 'day', 'delivered']),
  ] as const;
}

type Queries = ReturnType<typeof nudgeFactQueries>;
type RowsOf<Query> = Query extends { compile(): CompiledQuery<infer Row> } ? Row[] : never;
type RowsOfAll<All extends readonly unknown[]> = { -readonly [Index in keyof All]: RowsOf<All[Index]> };
type FactRows = RowsOfAll<Queries>;

/** What is known about a person, and what the person allows. */
export interface PersonalNudges {
  readonly facts: NudgeFacts;
  readonly policy: NudgePolicy;
  readonly settled_keys: ReadonlySet<string>;
  readonly delivered_today: number;
  readonly time_zone: string;
}

const defaultPolicy = { quiet_from_minute: 1320, quiet_to_minute: 420, daily_nudge_cap: 5 };

/** Reads the answers of {@link nudgeFactQueries}; null when the person is gone. */
export function personalNudges(rows: FactRows, now: number): PersonalNudges | null {
  const [[row], scores, goals, activities, follow_ups, open_meetings, rotting, [settings], marks] = rows;
  if (row === undefined) return null;
  const person = trackerPerson(row, now);
  const { moment, calendar } = person;
  const known = scores.filter(({ date }) => date <= moment.day).map(streakDayOf);
  const goal = currentGoal(goals, moment.day);
  const { daily_nudge_cap, ...quiet } = settings ?? defaultPolicy;
  return {
    facts: {
      moment,
      is_free_day: isFrozen(moment.day, calendar),
      activities_today: activities.find(({ date }) => date === moment.day)?.activities ?? 0,
      score_today: known.find(({ day }) => day === moment.day)?.score ?? 0,
      streak_days: currentStreak(known, moment.day, calendar),
      goal: goal === null ? null : { id: goal.id, progress: progressOfGoal(goal, person) },
      follow_ups,
      open_meetings,
      rotting,
    },
    policy: { ...quiet, daily_cap: daily_nudge_cap },
    settled_keys: new Set(marks.map(({ dedupe_key }) => dedupe_key)),
    delivered_today: marks.filter(({ day, delivered }) => delivered && day === moment.day).length,
    time_zone: person.time_zone,
  };
}
