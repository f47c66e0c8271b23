import { nudgePriorities } from './tracker-nudge-rules.ts';
import type { NudgeDraft } from './tracker-nudge-rules.ts';

/** When a person may be nudged and how often. */
export interface NudgePolicy {
  /** Local minutes of the day; from inclusive, to exclusive; may span midnight; equal means no quiet hours. */
  readonly quiet_from_minute: number;
  readonly quiet_to_minute: number;
  /** Nudges in a local day, urgent ones included. */
  readonly daily_cap: number;
}

/** What was delivered to the person before. */
interface NudgeRecord {
  /** Keys that were delivered or settled at any time, also of nudges that were deleted. */
  readonly settled_keys: ReadonlySet<string>;
  readonly delivered_today: number;
}

/** Whether a local minute of the day is inside the quiet hours. */
export function isQuiet(minute: number, { quiet_from_minute: from, quiet_to_minute: to }: NudgePolicy): boolean {
  return from <= to ? from <= minute && minute < to : minute >= from || minute < to;
}

/**
 * The drafts that may be delivered now, highest priority first. In quiet hours only urgent ones are admitted. The others
 * are dropped, not queued: if the reason persists, the rules draft them again after the quiet hours, without a burst.
 */
export function admitNudges(
  drafts: readonly NudgeDraft[],
  minute: number,
  policy: NudgePolicy,
  record: NudgeRecord,
): NudgeDraft[] {
  const room = Math.max(policy.daily_cap - record.delivered_today, 0);
  const quiet = isQuiet(minute, policy);
  return drafts
    .filter(({ dedupe_key, priority }) => !record.settled_keys.has(dedupe_key) && (!quiet || priority === 'urgent'))
    .toSorted((one, other) => rank(other) - rank(one))
    .slice(0, room);
}

function rank({ priority }: NudgeDraft): number {
  return nudgePriorities.indexOf(priority);
}
