import { query } from '../../entities/kysely-schema.ts';
import type { MeetingType } from '../../entities/tracker/meeting.entity.ts';
import { meetingColumns } from './meeting.repository.ts';

/** Which of a person's meetings are asked for; what is left out does not narrow the list. */
export interface MeetingFilter {
  readonly kind?: 'template' | 'planned' | undefined;
  readonly type?: MeetingType | undefined;
  readonly prospect_id?: number | undefined;
  /** Planned at this time or later. */
  readonly from?: string | undefined;
  /** Planned before this time. */
  readonly to?: string | undefined;
}

/** A person's meetings, newest first. */
export function meetingsQuery(userId: string, { kind, type, prospect_id, from, to }: MeetingFilter) {
  let found = query
    .selectFrom('admin_meetings')
    .where('user_id', '=', userId)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .select(meetingColumns);
  if (kind !== undefined) found = found.where('scheduled_at', kind === 'template' ? 'is' : 'is not', null);
  if (type !== undefined) found = found.where('type', '=', type);
  if (prospect_id !== undefined) found = found.where('prospect_id', '=', prospect_id);
  if (from !== undefined) found = found.where('scheduled_at', '>=', from);
  if (to !== undefined) found = found.where('scheduled_at', '<', to);
  return found;
}

/** One meeting of a person. */
export function meetingQuery(userId: string, id: number) {
  return query.selectFrom('admin_meetings').where('id', '=', id).where('user_id', '=', userId).select(meetingColumns);
}
