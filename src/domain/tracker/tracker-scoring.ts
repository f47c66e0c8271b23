/** Types of activities (S0-11, S0-25). */
export const activityTypes = ['discovery', 'email', 'video', 'call'] as const;
export type ActivityType = (typeof activityTypes)[number];

/** Only `done` counts (S0-52). */
export const activityStatuses = ['done', 'pending', 'cancelled'] as const;
export type ActivityStatus = (typeof activityStatuses)[number];

/** Points of one activity (S0-52). */
const activityWeights: Readonly<Record<ActivityType, number>> = { discovery: 10, email: 5, video: 15, call: 20 };

/** Cap of a day's score (S0-12, S0-52). */
const maxScore = 100;

/** The part of an activity that decides the score. An unknown type has weight 0 (S0-52). */
interface ScoredActivity {
  readonly type: string;
  readonly status: ActivityStatus;
  readonly amount: number;
}

/** Score of a day with the number of its done activities (S0-53). */
interface DailyScore {
  readonly score: number;
  /** Number of rows, whatever their amounts. */
  readonly activities_count: number;
}

/** Score of a day: weight times amount of the activities that are done, at most {@link maxScore} (S0-52). */
export function dailyScore(activities: Iterable<ScoredActivity>): DailyScore {
  let points = 0;
  let activities_count = 0;
  for (const { type, status, amount } of activities) {
    if (status !== 'done') continue;
    points += weightOf(type) * amount;
    activities_count += 1;
  }
  return { score: Math.min(points, maxScore), activities_count };
}

function weightOf(type: string): number {
  return isActivityType(type) ? activityWeights[type] : 0;
}

/** True when the text is one of the types. */
export function isActivityType(text: string): text is ActivityType {
  return Object.hasOwn(activityWeights, text);
}
