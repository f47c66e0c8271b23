import { addDays, daysBetween, weekDays } from './tracker-calendar.ts';
import type { Day } from './tracker-calendar.ts';
import { activityTypes } from './tracker-scoring.ts';
import type { ActivityType } from './tracker-scoring.ts';
import { isFrozen } from './tracker-streak.ts';
import type { RestCalendar } from './tracker-streak.ts';

/** A number for each type of activity. */
export type Amounts = Readonly<Record<ActivityType, number>>;

/** How one type stands. `missed` is said only when the week is over. */
export type ProgressState = 'no_target' | 'reached' | 'on_track' | 'behind' | 'missed';

/** Progress of one type (S0-97). All are numbers of activities but `percent`. */
export interface TypeProgress {
  readonly target: number;
  readonly done: number;
  /** Whole percent of the target, not capped; 0 without a target. */
  readonly percent: number;
  /** What the working days that are over ask for. */
  readonly expected: number;
  /** What the week ends with at the present pace. */
  readonly projection: number;
  readonly state: ProgressState;
}

/** Progress of a week against its goal. */
export interface WeeklyProgress {
  readonly week_start: Day;
  readonly week_end: Day;
  /** Days of the week that have begun, 0..7. */
  readonly days_elapsed: number;
  readonly on_track: boolean;
  /** Whole percent over all types; what is done beyond a target does not make up for another one. */
  readonly percent: number;
  readonly types: Readonly<Record<ActivityType, TypeProgress>>;
}

/** The shares of a week's goal that are celebrated, once each. */
export const milestones = [50, 90, 100] as const;
export type Milestone = (typeof milestones)[number];

/**
 * Where a week stands today.
 *
 * Rest days and vacation ask for nothing; a week without any working day expects its target only when it is over.
 * `expected` looks at the working days that are over, so that nobody is behind at breakfast.
 *
 * @param today in the zone of the person.
 */
export function weeklyProgress(
  weekStart: Day,
  targets: Amounts,
  done: Amounts,
  today: Day,
  calendar: RestCalendar,
): WeeklyProgress {
  const week = weekDays(weekStart);
  const working = week.filter((day) => !isFrozen(day, calendar));
  const days_elapsed = Math.min(Math.max(daysBetween(weekStart, today) + 1, 0), week.length);
  const pace: Pace = {
    working: working.length,
    over: working.filter((day) => day < today).length,
    begun: working.filter((day) => day <= today).length,
    isOver: daysBetween(weekStart, today) >= week.length,
  };
  const progressOf = (type: ActivityType) => typeProgress(targets[type], done[type], pace);
  const types = {
    discovery: progressOf('discovery'),
    email: progressOf('email'),
    video: progressOf('video'),
    call: progressOf('call'),
  };
  return {
    week_start: weekStart,
    week_end: addDays(weekStart, week.length - 1),
    days_elapsed,
    on_track: activityTypes.every((type) => !['behind', 'missed'].includes(types[type].state)),
    percent: overallPercent(targets, done),
    types,
  };
}

/** Working days of a week: all, over, begun. */
interface Pace {
  readonly working: number;
  readonly over: number;
  readonly begun: number;
  readonly isOver: boolean;
}

function typeProgress(target: number, done: number, pace: Pace): TypeProgress {
  const share = pace.isOver ? 1 : pace.working === 0 ? 0 : pace.over / pace.working;
  const expected = Math.floor(target * share);
  const projection = pace.isOver || pace.begun === 0 ? done : Math.round((done / pace.begun) * pace.working);
  return {
    target,
    done,
    percent: target === 0 ? 0 : Math.floor((100 * done) / target),
    expected,
    projection,
    state: stateOf(target, done, expected, pace.isOver),
  };
}

function stateOf(target: number, done: number, expected: number, isOver: boolean): ProgressState {
  if (target === 0) return 'no_target';
  if (done >= target) return 'reached';
  if (isOver) return 'missed';
  return done < expected ? 'behind' : 'on_track';
}

function overallPercent(targets: Amounts, done: Amounts): number {
  const target = activityTypes.reduce((sum, type) => sum + targets[type], 0);
  const counted = activityTypes.reduce((sum, type) => sum + Math.min(done[type], targets[type]), 0);
  return target === 0 ? 0 : Math.floor((100 * counted) / target);
}

/** The milestones that a progress has reached, lowest first. */
export function reachedMilestones({ percent }: Pick<WeeklyProgress, 'percent'>): Milestone[] {
  return milestones.filter((milestone) => percent >= milestone);
}
