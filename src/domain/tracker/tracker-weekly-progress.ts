import { addDays, daysBetween, weekDays } from './tracker-calendar.ts';
import type { Day } from './tracker-calendar.ts';
import { activityTypes } from './tracker-scoring.ts';
import type { ActivityType } from './tracker-scoring.ts';
import { isFrozen } from './tracker-streak.ts';
import type { RestCalendar } from './tracker-streak.ts';

/** A number for each type of activity. */
export type Amounts = Readonly<Record<ActivityType, number>>;

/** Progress of one type as a state. `missed` is used only when the week is over. */
type ProgressState = 'no_target' | 'reached' | 'on_track' | 'behind' | 'missed';

/** Progress of one type (S0-97). All numbers but `percent` are amounts of activities. */
export interface TypeProgress {
  readonly target: number;
  readonly done: number;
  /** Whole percent of the target, not capped; 0 without a target. */
  readonly percent: number;
  /** Share of the target that falls on the working days that are over. */
  readonly expected: number;
  /** Amount at the end of the week at the present pace. */
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
  /** Whole percent over all types; surplus of one type does not make up for another. */
  readonly percent: number;
  readonly types: Readonly<Record<ActivityType, TypeProgress>>;
}

/** Percentages of a week's goal that get a nudge, once each. */
const milestones = [50, 90, 100] as const;
type Milestone = (typeof milestones)[number];

/**
 * Progress of a week as of today.
 *
 * Nothing is expected on rest days and vacation; a week without any working day expects its target only when it is over.
 * `expected` counts working days that are over, so that a morning does not begin behind the pace.
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

/** Working days of a week: in all, over, and begun. */
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
