import { addDays, weekDays, weekStartOf } from '../../domain/tracker/tracker-calendar.ts';
import type { Day } from '../../domain/tracker/tracker-calendar.ts';
import { currentStreak, isFrozen, runBefore } from '../../domain/tracker/tracker-streak.ts';
import type { StreakDay } from '../../domain/tracker/tracker-streak.ts';
import { prepared } from '../../entities/prepared-statement.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { readAll } from '../../platform/database/read.ts';
import { personQuery, trackerPerson, utcDay } from './tracker-profile.queries.ts';
import type { Person, TrackerPerson } from './tracker-profile.queries.ts';

/** A score as it is stored. */
interface ScoreRow {
  readonly id: number;
  readonly user_id: string;
  readonly date: Day;
  readonly score: number;
  readonly streak_days: number;
  readonly activities_count: number;
  readonly created_at: string;
  readonly updated_at: string;
}

/** A score as it is displayed: a day without a row has neither id nor timestamps. */
type ScoreView = Omit<ScoreRow, 'id' | 'created_at' | 'updated_at'> & {
  readonly id: number | null;
  readonly created_at: string | null;
  readonly updated_at: string | null;
};

/** More days than can lie in or after the person's week, so that at least one row before it is among them. */
const recentScoreRows = 24;

const recentScoresStatement = prepared<{ user_id: string; until: Day }>()((param) =>
  kysely
    .selectFrom('admin_scores')
    .where('user_id', '=', param('user_id'))
    .where('date', '<=', param('until'))
    .orderBy('date', 'desc')
    .limit(recentScoreRows)
    .select(['id', 'user_id', 'date', 'score', 'streak_days', 'activities_count', 'created_at', 'updated_at']),
);

/** The latest score rows of a person up to the end of the present week, newest first. */
export function recentScoresQuery(userId: string, now: number) {
  return recentScoresStatement({ user_id: userId, until: addDays(utcDay(now), 8) });
}

/** A score row as the streak rules see it. */
export function streakDayOf(row: { date: Day; score: number; streak_days: number }): StreakDay {
  return { day: row.date, score: row.score, streak_days: row.streak_days };
}

/** The latest scores of a person, with what decides which day "today" is; one round trip. */
export async function loadScores(
  { db, now }: Pick<ProcessDeps, 'db' | 'now'>,
  { tenant_id, user_id }: Person,
): Promise<{ readonly person: TrackerPerson; readonly scores: ScoreRow[] }> {
  const time = now();
  const [[row], scores] = await readAll(db, { tenant_id, user_id }, [
    personQuery(user_id),
    recentScoresQuery(user_id, time),
  ]);
  if (row === undefined) throw notFound('user');
  return { person: trackerPerson(row, time), scores };
}

/** The streak that the person has now (S0-77). @param scores newest first. */
export function runningStreak(scores: readonly ScoreRow[], { local_time, calendar }: TrackerPerson): number {
  const known = scores.filter(({ date }) => date <= local_time.day).map(streakDayOf);
  return currentStreak(known, local_time.day, calendar);
}

/** Today's score with the running streak; nothing is written for an empty day (S0-87). */
export function currentScore(userId: string, scores: readonly ScoreRow[], person: TrackerPerson): ScoreView {
  const { day } = person.local_time;
  const row = scores.find(({ date }) => date === day);
  return { ...(row ?? emptyDay(userId, day)), streak_days: runningStreak(scores, person) };
}

/** The seven days of the person's week (S0-98). */
export function weekOfScores(userId: string, scores: readonly ScoreRow[], person: TrackerPerson) {
  const days = weekDays(weekStartOf(person.local_time.day, person.week_start));
  const items = days.map((day) => scoreOfDay(userId, day, scores, person));
  return {
    week_start: days[0],
    week_end: days.at(-1),
    total: items.reduce((sum, { score }) => sum + score, 0),
    items,
  };
}

function scoreOfDay(
  userId: string,
  day: Day,
  scores: readonly ScoreRow[],
  { calendar, local_time }: TrackerPerson,
): ScoreView {
  const row = scores.find(({ date }) => date === day);
  if (row !== undefined) return row;
  const before = scores.find(({ date }) => date < day);
  const carries = before !== undefined && day <= local_time.day && isFrozen(day, calendar);
  return { ...emptyDay(userId, day), streak_days: carries ? runBefore(day, streakDayOf(before), calendar) : 0 };
}

function emptyDay(userId: string, day: Day): ScoreView {
  return {
    id: null,
    user_id: userId,
    date: day,
    score: 0,
    streak_days: 0,
    activities_count: 0,
    created_at: null,
    updated_at: null,
  };
}
