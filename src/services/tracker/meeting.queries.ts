import { query } from '../../entities/kysely-schema.ts';

/** The columns of a meeting that are displayed. */
export const meetingColumns = [
  'id',
  'user_id',
  'title',
  'type',
  'duration_minutes',
  'agenda',
  'questions',
  'follow_up_tasks',
  'template_id',
  'scheduled_at',
  'prospect_id',
  'outcome',
  'outcome_notes',
  'created_at',
  'updated_at',
] as const;

/** Planned meetings of a person that are ahead and have no outcome, the next one first. @param now milliseconds. */
export function upcomingMeetingsQuery(userId: string, now: number) {
  return query
    .selectFrom('admin_meetings')
    .where('user_id', '=', userId)
    .where('outcome', 'is', null)
    .where('scheduled_at', '>=', new Date(now).toISOString())
    .orderBy('scheduled_at')
    .orderBy('id')
    .select(meetingColumns);
}
