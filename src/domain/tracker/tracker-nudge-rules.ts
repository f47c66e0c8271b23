import { addDays } from './tracker-calendar.ts';
import type { Day, LocalTime } from './tracker-calendar.ts';
import { activityTypes } from './tracker-scoring.ts';
import { reachedMilestones } from './tracker-weekly-progress.ts';
import type { WeeklyProgress } from './tracker-weekly-progress.ts';

/** Kinds of nudges (S0-14). */
export const nudgeTypes = ['reminder', 'suggestion', 'alert', 'celebration'] as const;
export type NudgeType = (typeof nudgeTypes)[number];

/** From lowest to highest (S0-14). */
export const nudgePriorities = ['low', 'normal', 'high', 'urgent'] as const;
export type NudgePriority = (typeof nudgePriorities)[number];

/** The rules that draft nudges. Every rule has a text of its own; a model may only reword it (S0-94). */
export const nudgeRules = [
  'no-activity',
  'behind-pace',
  'streak-at-risk',
  'streak-last-call',
  'goal-milestone',
  'follow-up-due',
  'meeting-without-outcome',
  'prospect-rotting',
] as const;
export type NudgeRule = (typeof nudgeRules)[number];

/** A prospect or meeting that a nudge is about. The name is not sent to a model, which sees a placeholder. */
export interface NamedItem {
  readonly id: number;
  readonly name: string;
}

/** What the rules know about a person at one point in time; read in one go and evaluated without I/O. */
export interface NudgeFacts {
  readonly local_time: LocalTime;
  /** Rest day or vacation: only milestones are announced. */
  readonly is_free_day: boolean;
  /** Activities logged for today, whatever their status. */
  readonly activities_today: number;
  readonly score_today: number;
  readonly streak_days: number;
  readonly goal: { readonly id: number; readonly progress: WeeklyProgress } | null;
  /** Open prospects whose next activity is due, longest overdue first. */
  readonly follow_ups: readonly NamedItem[];
  /** Planned meetings that are over and have no outcome, oldest first. */
  readonly open_meetings: readonly NamedItem[];
  /** Open prospects that have been in their stage for longer than it allows, longest first. */
  readonly rotting: readonly NamedItem[];
}

/** A nudge that a rule asks for; `tracker-nudge-admission.ts` decides whether it is delivered. */
export interface NudgeDraft {
  readonly rule: NudgeRule;
  /** A key is delivered to a person at most once (S0-95); keys of daily rules contain the day. */
  readonly dedupe_key: string;
  /** Keys that need no nudge of their own any more: the milestones below the one that is announced. */
  readonly also_settles: readonly string[];
  readonly type: NudgeType;
  readonly priority: NudgePriority;
  /** Text with the placeholder `{name}`. */
  readonly template: string;
  readonly name: string | null;
  readonly action_url: string;
  /** Local day at whose start the nudge expires. */
  readonly expires_on: Day;
}

const minutesOf = (hour: number) => hour * 60;
const noon = minutesOf(12);
const paceFrom = minutesOf(10);
const streakWarningFrom = minutesOf(17);
const lastCallFrom = minutesOf(21);
/** Streaks from this length on get an alert, and from the second length on an urgent one, which passes quiet hours. */
const streakWorthWarning = 2;
const streakWorthLastCall = 7;
const milestoneDisplayDays = 7;

/** The drafts of all rules. On free days only the milestone rule drafts. */
export function draftNudges(facts: NudgeFacts): NudgeDraft[] {
  const pressing = facts.is_free_day
    ? []
    : [noActivity(facts), behindPace(facts), streakAtRisk(facts), streakLastCall(facts), ...worklists(facts)];
  return [...pressing, milestone(facts)].filter((draft) => draft !== null);
}

/** The text of a draft with its name filled in. */
export function nudgeMessage({ template, name }: Pick<NudgeDraft, 'template' | 'name'>): string {
  return template.replaceAll('{name}', () => name ?? '');
}

type DailyNudge = Pick<NudgeDraft, 'type' | 'priority' | 'template' | 'action_url'> & { readonly name?: string };

function daily(facts: NudgeFacts, rule: NudgeRule, sentence: DailyNudge): NudgeDraft {
  const { day } = facts.local_time;
  return {
    rule,
    dedupe_key: `${day}/${rule}`,
    also_settles: [],
    name: null,
    ...sentence,
    expires_on: addDays(day, 1),
  };
}

function noActivity(facts: NudgeFacts): NudgeDraft | null {
  if (facts.local_time.minute < noon || facts.activities_today > 0) return null;
  return daily(facts, 'no-activity', {
    type: 'reminder',
    priority: 'normal',
    template: 'Nothing is logged for today yet. One small activity gets you going.',
    action_url: '/activities/new',
  });
}

function behindPace(facts: NudgeFacts): NudgeDraft | null {
  const { goal, local_time } = facts;
  if (goal === null || local_time.minute < paceFrom) return null;
  const behind = activityTypes.filter((type) => goal.progress.types[type].state === 'behind');
  if (behind.length === 0) return null;
  const gaps = behind.map((type) => {
    const { done, expected } = goal.progress.types[type];
    return `${type} ${done} of ${expected}`;
  });
  return daily(facts, 'behind-pace', {
    type: 'suggestion',
    priority: 'normal',
    template: `You are behind this week's pace: ${gaps.join(', ')} expected by now.`,
    action_url: `/goals/${goal.id}`,
  });
}

function isStreakOpen({ streak_days, score_today }: NudgeFacts, worth: number): boolean {
  return streak_days >= worth && score_today === 0;
}

function streakAtRisk(facts: NudgeFacts): NudgeDraft | null {
  if (facts.local_time.minute < streakWarningFrom || !isStreakOpen(facts, streakWorthWarning)) return null;
  return daily(facts, 'streak-at-risk', {
    type: 'alert',
    priority: 'high',
    template: `Your streak of ${facts.streak_days} days ends tonight unless you finish an activity.`,
    action_url: '/activities/new',
  });
}

function streakLastCall(facts: NudgeFacts): NudgeDraft | null {
  if (facts.local_time.minute < lastCallFrom || !isStreakOpen(facts, streakWorthLastCall)) return null;
  return daily(facts, 'streak-last-call', {
    type: 'alert',
    priority: 'urgent',
    template: `Last call: your streak of ${facts.streak_days} days is about to end.`,
    action_url: '/activities/new',
  });
}

/** One digest for each list, however long the list is. */
function worklists(facts: NudgeFacts): (NudgeDraft | null)[] {
  return [
    digest(facts, 'follow-up-due', facts.follow_ups, {
      type: 'reminder',
      priority: 'high',
      one: 'A follow-up with {name} is due.',
      many: (others) => `Follow-ups are due: {name} and ${others} more.`,
      action_url: '/prospects',
    }),
    digest(facts, 'meeting-without-outcome', facts.open_meetings, {
      type: 'reminder',
      priority: 'normal',
      one: 'The meeting {name} has no outcome yet.',
      many: (others) => `Meetings have no outcome yet: {name} and ${others} more.`,
      action_url: '/meetings',
    }),
    digest(facts, 'prospect-rotting', facts.rotting, {
      type: 'alert',
      priority: 'normal',
      one: '{name} has been in the same stage for too long.',
      many: (others) => `{name} and ${others} more prospects have been in the same stage for too long.`,
      action_url: '/prospects',
    }),
  ];
}

interface DigestText {
  readonly type: NudgeType;
  readonly priority: NudgePriority;
  readonly one: string;
  readonly many: (others: number) => string;
  readonly action_url: string;
}

function digest(facts: NudgeFacts, rule: NudgeRule, things: readonly NamedItem[], text: DigestText): NudgeDraft | null {
  const [first, ...others] = things;
  if (first === undefined) return null;
  return daily(facts, rule, {
    type: text.type,
    priority: text.priority,
    template: others.length === 0 ? text.one : text.many(others.length),
    name: first.name,
    action_url: others.length === 0 ? `${text.action_url}/${first.id}` : text.action_url,
  });
}

function milestone({ goal, local_time }: NudgeFacts): NudgeDraft | null {
  if (goal === null) return null;
  const keys = reachedMilestones(goal.progress).map((percent) => ({ percent, key: `goal/${goal.id}/${percent}` }));
  const highest = keys.pop();
  if (highest === undefined) return null;
  return {
    rule: 'goal-milestone',
    dedupe_key: highest.key,
    also_settles: keys.map(({ key }) => key),
    type: 'celebration',
    priority: 'normal',
    template:
      highest.percent === 100 ? 'You have reached your goal of the week.' : `You have reached ${highest.percent} % of your goal.`,
    name: null,
    action_url: `/goals/${goal.id}`,
    expires_on: addDays(local_time.day, milestoneDisplayDays),
  };
}
