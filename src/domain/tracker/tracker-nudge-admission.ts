import { nudgePriorities } from './tracker-nudge-rules.ts';
import type { NudgeDraft } from './tracker-nudge-rules.ts';

/** When a person may be nudged and how often. */
export interface NudgePolicy {
  /** Local minutes of the day; from inclusive, to exclusive; may span midnight; equal means no quiet hours. */
  readonly quiet_from_minute: number;
  readonly quiet_to_minute: number;
  /** Nudges a local day, urgent ones included. */
  readonly daily_cap: number;
}

/** What has reached the person already. */
export interface NudgeRecord {
  /** Keys that were announced or settled at any time, deleted nudges included. */
  readonly settled_keys: ReadonlySet<string>;
  readonly delivered_today: number;
}

/** True inside the quiet hours. */
export function isQuiet(minute: number, { quiet_from_minute: from, quiet_to_minute: to }: NudgePolicy): boolean {
  return from <= to ? from <= minute && minute < to : minute >= from || minute < to;
}

/**
 * What of the drafts reaches the person now, most pressing first. In quiet hours only urgent ones do; the others are
 * not kept for later, because the rules speak again when the quiet is over if there is still a reason (no burst).
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
