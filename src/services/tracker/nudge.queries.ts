import { kysely } from '../../entities/kysely-schema.ts';
import type { NudgePriority, NudgeType } from '../../domain/tracker/tracker-nudge-rules.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { latestFirst } from './tracker-page.queries.ts';

/** The columns of a nudge that are displayed. */
const nudgeColumns = [
  'id',
  'user_id',
  'type',
  'message',
  'priority',
  'read',
  'action_url',
  'rule',
  'worded_by',
  'snoozed_until',
  'expires_at',
  'created_at',
] as const;

/** All nudges of a person. */
export function nudgesQuery(userId: string) {
  return kysely.selectFrom('admin_nudges').where('user_id', '=', userId).select(nudgeColumns);
}

/** Nudges of a person that are neither expired nor snoozed (S0-95). @param now milliseconds since the epoch. */
export function visibleNudgesQuery(userId: string, now: number) {
  const time = new Date(now).toISOString();
  return nudgesQuery(userId)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', time)]))
    .where((eb) => eb.or([eb('snoozed_until', 'is', null), eb('snoozed_until', '<=', time)]));
}

/** What a list of nudges is narrowed by. */
interface NudgeFilter {
  readonly read?: boolean | undefined;
  readonly type?: NudgeType | undefined;
  readonly priority?: NudgePriority | undefined;
}

/** A page of the visible nudges of a person, newest first. */
export function nudgePageQuery(userId: string, page: Page, { read, type, priority }: NudgeFilter, now: number) {
  return visibleNudgesQuery(userId, now)
    .where((eb) => eb.and({ read, type, priority }))
    .$call(latestFirst(page, { sort: 'created_at', id: 'id' }));
}
