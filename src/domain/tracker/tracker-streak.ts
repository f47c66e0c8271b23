import { addDays, weekdayOf } from './tracker-calendar.ts';
import type { Day } from './tracker-calendar.ts';

/** Days on which nothing is expected. They freeze a streak: they neither lengthen nor break it. */
export interface RestCalendar {
  /** ISO weekdays on which the person rests; at most six. */
  readonly rest_weekdays: readonly number[];
  /** Both ends included. */
  readonly vacations: readonly { readonly starts_on: Day; readonly ends_on: Day }[];
}

/** A day that has a score row. */
export interface ScoredDay {
  readonly day: Day;
  readonly score: number;
}

/** A day with the length of the streak up to and including it (S0-77). */
export interface StreakDay extends ScoredDay {
  readonly streak_days: number;
}

/** True on rest days and during vacation. */
export function isFrozen(day: Day, calendar: RestCalendar): boolean {
  return (
    calendar.rest_weekdays.includes(weekdayOf(day)) ||
    calendar.vacations.some(({ starts_on, ends_on }) => starts_on <= day && day <= ends_on)
  );
}

/**
 * The streak that a day continues: that of the last row before it, or 0 when a day in between was neither scored nor
 * frozen (S0-54).
 *
 * @param before the last day before `day` that has a row.
 */
export function runBefore(day: Day, before: StreakDay | null, calendar: RestCalendar): number {
  if (before === null || before.streak_days === 0) return 0;
  for (let between = addDays(before.day, 1); between < day; between = addDays(between, 1)) {
    if (!isFrozen(between, calendar)) return 0;
  }
  return before.streak_days;
}

/** The streak up to and including a scored day. On a frozen day it continues unchanged, whatever the score. */
function streakOn({ day, score }: ScoredDay, before: StreakDay | null, calendar: RestCalendar): number {
  const run = runBefore(day, before, calendar);
  if (isFrozen(day, calendar)) return run;
  return score > 0 ? run + 1 : 0;
}

/** Computes all streaks from the scores, oldest day first. The stored rows always equal the result (S0-78). */
export function freshStreaks(days: readonly ScoredDay[], calendar: RestCalendar): StreakDay[] {
  const result: StreakDay[] = [];
  for (const scored of days) {
    result.push({ ...scored, streak_days: streakOn(scored, result.at(-1) ?? null, calendar) });
  }
  return result;
}

/**
 * The rows to write after the score of one day has changed: that day, and the later days whose streak changes with it.
 * The first later day whose streak stays the same ends the search, because a streak depends on one earlier row only
 * (S0-78).
 *
 * @param before the last day with a row before the scored one.
 * @param later the days with a row after it, oldest first.
 */
export function streaksAfterScore(
  scored: ScoredDay,
  before: StreakDay | null,
  later: Iterable<StreakDay>,
  calendar: RestCalendar,
): StreakDay[] {
  let previous: StreakDay = { ...scored, streak_days: streakOn(scored, before, calendar) };
  const changed = [previous];
  for (const stored of later) {
    const streak_days = streakOn(stored, previous, calendar);
    if (streak_days === stored.streak_days) break;
    previous = { ...stored, streak_days };
    changed.push(previous);
  }
  return changed;
}

/**
 * The streak that a person has now: the one that ends today, or yesterday while today has no score yet (S0-77).
 *
 * @param recent the rows up to today, newest first; two are enough.
 */
export function currentStreak(recent: readonly StreakDay[], today: Day, calendar: RestCalendar): number {
  const [last] = recent;
  if (last?.day === today && last.streak_days > 0) return last.streak_days;
  const before = recent.find(({ day }) => day < today) ?? null;
  return runBefore(today, before, calendar);
}
