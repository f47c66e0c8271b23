import { weekDays, weekStartOf } from '../../domain/tracker/tracker-calendar.ts';
import type { Day } from '../../domain/tracker/tracker-calendar.ts';
import { currentStreak, isFrozen, runBefore } from '../../domain/tracker/tracker-streak.ts';
import { streakDayOf } from './tracker-profile.queries.ts';
import type { TrackerPerson } from './tracker-profile.queries.ts';

/** A score as it is stored. */
export interface ScoreRow {
  readonly id: number;
  readonly user_id: string;
  readonly date: Day;
  readonly score: number;
  readonly streak_days: number;
  readonly activities_count: number;
  readonly created_at: string;
  readonly updated_at: string;
}

/** A score as it is shown: a day without a row has neither id nor stamps. */
export type ScoreView = Omit<ScoreRow, 'id' | 'created_at' | 'updated_at'> & {
  readonly id: number | null;
  readonly created_at: string | null;
  readonly updated_at: string | null;
};

/** The streak at the person's moment (S0-77). @param scores newest first. */
export function runningStreak(scores: readonly ScoreRow[], { moment, calendar }: TrackerPerson): number {
  const known = scores.filter(({ date }) => date <= moment.day).map(streakDayOf);
  return currentStreak(known, moment.day, calendar);
}

/** Today's score with the running streak; nothing is written for an empty day (S0-87). */
export function currentScore(userId: string, scores: readonly ScoreRow[], person: TrackerPerson): ScoreView {
  const { day } = person.moment;
  const row = scores.find(({ date }) => date === day);
  return { ...(row ?? emptyDay(userId, day)), streak_days: runningStreak(scores, person) };
}

/** The seven days of the person's week (S0-98). */
export function weekOfScores(userId: string, scores: readonly ScoreRow[], person: TrackerPerson) {
  const days = weekDays(weekStartOf(person.moment.day, person.week_start));
  const items = days.map((day) => scoreOfDay(userId, day, scores, person));
  return {
    week_start: days[0],
    week_end: days.at(-1),
    total: items.reduce((sum, { score }) => sum + score, 0),
    items,
  };
}

function scoreOfDay(userId: string, day: Day, scores: readonly ScoreRow[], { calendar, moment }: TrackerPerson): ScoreView {
  const row = scores.find(({ date }) => date === day);
  if (row !== undefined) return row;
  const before = scores.find(({ date }) => date < day);
  const carries = before !== undefined && day <= moment.day && isFrozen(day, calendar);
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
