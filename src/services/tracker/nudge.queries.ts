import { query } from '../../entities/kysely-schema.ts';

/** The columns of a nudge that are shown. */
export const nudgeColumns = [
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

/** Nudges of a person that are neither expired nor snoozed at a moment (S0-95). */
export function visibleNudges(userId: string, now: number) {
  const moment = new Date(now).toISOString();
  return query
    .selectFrom('admin_nudges')
    .where('user_id', '=', userId)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', moment)]))
    .where((eb) => eb.or([eb('snoozed_until', 'is', null), eb('snoozed_until', '<=', moment)]));
}
