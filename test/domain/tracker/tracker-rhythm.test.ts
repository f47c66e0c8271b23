import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addDays, daysBetween, localTime, startOfDay, weekDays, weekStartOf, weekdayOf } from '../../../src/domain/tracker/tracker-calendar.ts';
import { dailyScore, isActivityType } from '../../../src/domain/tracker/tracker-scoring.ts';
import {
  currentStreak,
  freshStreaks,
  isFrozen,
  runBefore,
  streaksAfterScore,
} from '../../../src/domain/tracker/tracker-streak.ts';
import type { RestCalendar, ScoredDay, StreakDay } from '../../../src/domain/tracker/tracker-streak.ts';
import { reachedMilestones, weeklyProgress } from '../../../src/domain/tracker/tracker-weekly-progress.ts';

const noRest: RestCalendar = { rest_weekdays: [], vacations: [] };
const weekendsOff: RestCalendar = { rest_weekdays: [6, 7], vacations: [] };
const monday = '2026-11-16';

/** Scores of consecutive days from a Monday on; null means that the day has no row. */
function days(...scores: (number | null)[]): ScoredDay[] {
  return scores.flatMap((score, offset) => (score === null ? [] : [{ day: addDays(monday, offset), score }]));
}

function streaks(calendar: RestCalendar, ...scores: (number | null)[]): number[] {
  return freshStreaks(days(...scores), calendar).map(({ streak_days }) => streak_days);
}

describe('the calendar', () => {
  it('S0-86: half past eleven at night belongs to the local day, on both sides of the date line', () => {
    const lateInKolkata = Date.parse('2026-11-21T18:00:00Z');
    expect(localTime(lateInKolkata, 'Asia/Kolkata')).toEqual({ day: '2026-11-21', minute: 23 * 60 + 30 });
    expect(localTime(lateInKolkata, 'Pacific/Kiritimati').day).toBe('2026-11-22');
    expect(localTime(lateInKolkata, 'Pacific/Pago_Pago').day).toBe('2026-11-21');
  });

  it('S0-86: follows the wall clock across a clock change', () => {
    expect(localTime(Date.parse('2026-10-25T22:30:00Z'), 'Europe/Berlin')).toEqual({ day: '2026-10-25', minute: 1410 });
    expect(localTime(Date.parse('2026-10-24T21:30:00Z'), 'Europe/Berlin')).toEqual({ day: '2026-10-24', minute: 1410 });
    expect(startOfDay('2026-10-26', 'Europe/Berlin')).toBe('2026-10-25T23:00:00Z');
    // On this day São Paulo's clocks went from 23:59:59 to 01:00.
    expect(startOfDay('2018-11-04', 'America/Sao_Paulo')).toBe('2018-11-04T03:00:00Z');
  });

  it('S0-98: a week starts on the weekday that the person chose', () => {
    expect(weekStartOf('2026-11-21', 'monday')).toBe(monday);
    expect(weekStartOf('2026-11-21', 'saturday')).toBe('2026-11-21');
    expect(weekStartOf('2026-11-21', 'sunday')).toBe('2026-11-15');
    expect(weekDays(monday).at(-1)).toBe('2026-11-22');
    expect(weekDays(monday).map(weekdayOf)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('adding and counting days are inverse to each other', () => {
    fc.assert(
      fc.property(fc.integer({ min: -20_000, max: 20_000 }), (offset) => {
        expect(daysBetween(monday, addDays(monday, offset))).toBe(offset);
      }),
    );
  });
});

describe('the score of a day', () => {
  it('S0-52, S0-64: is the weighted sum of what is done', () => {
    const done = { status: 'done' } as const;
    const two = [
      { ...done, type: 'discovery', amount: 2 },
      { ...done, type: 'email', amount: 3 },
    ];
    expect(dailyScore(two)).toEqual({ score: 35, activities_count: 2 });
    expect(dailyScore([{ ...done, type: 'video', amount: 1 }, { ...done, type: 'call', amount: 1 }]).score).toBe(35);
    expect(dailyScore([{ ...done, type: 'fax', amount: 4 }])).toEqual({ score: 0, activities_count: 1 });
    expect(isActivityType('fax')).toBe(false);
  });

  it('S0-52: is capped at 100 and ignores what is pending or cancelled', () => {
    expect(dailyScore([{ type: 'call', status: 'done', amount: 50 }]).score).toBe(100);
    expect(
      dailyScore([
        { type: 'call', status: 'pending', amount: 1 },
        { type: 'call', status: 'cancelled', amount: 1 },
      ]),
    ).toEqual({ score: 0, activities_count: 0 });
  });
});

describe('streaks', () => {
  it('S0-77: include the day itself and end at a gap or a day with score 0', () => {
    expect(streaks(noRest, 10, 5, null, 20, 0, 5)).toEqual([1, 2, 1, 0, 1]);
  });

  it('are neither lengthened nor broken by rest days, with or without a score', () => {
    expect(streaks(weekendsOff, null, null, null, null, 10, null, null, 10)).toEqual([1, 2]);
    expect(streaks(weekendsOff, null, null, null, null, 10, 50, 50, 10)).toEqual([1, 1, 1, 2]);
    expect(streaks(weekendsOff, null, null, null, null, 0, 50, null, 10)).toEqual([0, 0, 1]);
  });

  it('are frozen by vacation too, and none starts on it', () => {
    const vacation = { rest_weekdays: [], vacations: [{ starts_on: addDays(monday, 1), ends_on: addDays(monday, 3) }] };
    expect(isFrozen(addDays(monday, 3), vacation)).toBe(true);
    expect(isFrozen(addDays(monday, 4), vacation)).toBe(false);
    expect(streaks(vacation, 10, null, null, null, 10)).toEqual([1, 2]);
    expect(streaks(vacation, null, 10, null, null, 10)).toEqual([0, 1]);
  });

  it('S0-77: the current streak ends today once there is a score, else yesterday', () => {
    const newestFirst = (list: StreakDay[]) => list.toReversed();
    const twoDays = newestFirst(freshStreaks(days(5, 5), noRest));
    expect(currentStreak(twoDays, addDays(monday, 1), noRest)).toBe(2);
    expect(currentStreak(twoDays, addDays(monday, 2), noRest)).toBe(2);
    expect(currentStreak(twoDays, addDays(monday, 3), noRest)).toBe(0);
    expect(currentStreak([], monday, noRest)).toBe(0);
    const emptyToday = newestFirst(freshStreaks(days(5, 5, 0), noRest));
    expect(currentStreak(emptyToday, addDays(monday, 2), noRest)).toBe(2);
    const friday = newestFirst(freshStreaks(days(5, 5, 5, 5, 5), weekendsOff));
    expect(currentStreak(friday, addDays(monday, 6), weekendsOff)).toBe(5);
    expect(runBefore(addDays(monday, 7), friday[0] ?? null, weekendsOff)).toBe(5);
  });

  const calendars = fc.record({
    rest_weekdays: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { maxLength: 6 }),
    vacations: fc.array(
      fc
        .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 6 }))
        .map(([start, length]) => ({ starts_on: addDays(monday, start), ends_on: addDays(monday, start + length) })),
      { maxLength: 2 },
    ),
  });

  it('S0-78: after any sequence of changed days the stored streaks equal a fresh recomputation', () => {
    const change = fc.record({ offset: fc.integer({ min: 0, max: 40 }), score: fc.constantFrom(0, 5, 100) });
    fc.assert(
      fc.property(calendars, fc.array(change, { maxLength: 60 }), (calendar, changes) => {
        const stored = new Map<string, StreakDay>();
        const sorted = () => [...stored.values()].sort((one, other) => (one.day < other.day ? -1 : 1));
        for (const { offset, score } of changes) {
          const day = addDays(monday, offset);
          const before = sorted().findLast((row) => row.day < day) ?? null;
          const later = sorted().filter((row) => row.day > day);
          for (const row of streaksAfterScore({ day, score }, before, later, calendar)) stored.set(row.day, row);
          expect(sorted()).toEqual(freshStreaks(sorted(), calendar));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never grow on a frozen day', () => {
    const rows = fc.array(fc.constantFrom(null, 0, 5), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(calendars, rows, (calendar, scores) => {
        const result = freshStreaks(days(...scores), calendar);
        for (const [place, row] of result.entries()) {
          const before = result[place - 1] ?? null;
          if (isFrozen(row.day, calendar)) expect(row.streak_days).toBe(runBefore(row.day, before, calendar));
          else expect(row.streak_days > 0).toBe(row.score > 0);
        }
      }),
    );
  });
});

describe('weekly progress', () => {
  const targets = { discovery: 10, email: 20, video: 0, call: 5 };
  const nothing = { discovery: 0, email: 0, video: 0, call: 0 };

  it('S0-97: target, done, expected by now, projection and state for each type', () => {
    const thursday = addDays(monday, 3);
    const done = { discovery: 4, email: 8, video: 2, call: 5 };
    const progress = weeklyProgress(monday, targets, done, thursday, weekendsOff);
    expect(progress).toMatchObject({
      week_start: monday,
      week_end: addDays(monday, 6),
      days_elapsed: 4,
      on_track: false,
      percent: 48,
    });
    expect(progress.types).toEqual({
      discovery: { target: 10, done: 4, percent: 40, expected: 6, projection: 5, state: 'behind' },
      email: { target: 20, done: 8, percent: 40, expected: 12, projection: 10, state: 'behind' },
      video: { target: 0, done: 2, percent: 0, expected: 0, projection: 3, state: 'no_target' },
      call: { target: 5, done: 5, percent: 100, expected: 3, projection: 6, state: 'reached' },
    });
  });

  it('S0-97: the present day is not expected yet, and a week that is over is reached or missed', () => {
    const first = weeklyProgress(monday, targets, nothing, monday, noRest);
    expect(first).toMatchObject({ days_elapsed: 1, on_track: true, percent: 0 });
    const after = weeklyProgress(monday, targets, { ...nothing, call: 5 }, addDays(monday, 9), noRest);
    expect(after).toMatchObject({ days_elapsed: 7, on_track: false });
    expect(after.types.discovery).toMatchObject({ expected: 10, projection: 0, state: 'missed' });
    expect(after.types.call.state).toBe('reached');
    expect(weeklyProgress(monday, targets, nothing, addDays(monday, -2), noRest).days_elapsed).toBe(0);
  });

  it('a week of vacation expects nothing until it is over', () => {
    const away = { rest_weekdays: [], vacations: [{ starts_on: monday, ends_on: addDays(monday, 6) }] };
    const progress = weeklyProgress(monday, targets, nothing, addDays(monday, 5), away);
    expect(progress.on_track).toBe(true);
    expect(progress.types.call).toMatchObject({ expected: 0, projection: 0 });
  });

  it('milestones depend on the whole goal; surplus of one type does not make up for another', () => {
    expect(reachedMilestones(weeklyProgress(monday, targets, { ...nothing, email: 500 }, monday, noRest))).toEqual([50]);
    expect(reachedMilestones({ percent: 91 })).toEqual([50, 90]);
    expect(reachedMilestones({ percent: 100 })).toEqual([50, 90, 100]);
    expect(weeklyProgress(monday, nothing, nothing, monday, noRest).percent).toBe(0);
  });
});
