import { kysely } from '../../entities/kysely-schema.ts';
import type { MeetingType } from '../../entities/tracker/meeting.entity.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { meetingColumns } from './meeting.repository.ts';
import { latestFirst } from './tracker-page.queries.ts';

/** All templates and planned meetings of a person. */
export function meetingsQuery(userId: string) {
  return kysely.selectFrom('admin_meetings').where('user_id', '=', userId).select(meetingColumns);
}

/** What a list of meetings is narrowed by. */
interface MeetingFilter {
  readonly kind?: 'template' | 'planned' | undefined;
  readonly type?: MeetingType | undefined;
  readonly prospect_id?: number | undefined;
  /** Planned at this time or later; RFC 3339. */
  readonly from?: string | undefined;
  /** Planned before this time; RFC 3339. */
  readonly to?: string | undefined;
}

/** A page of the meetings of a person, newest first. */
export function meetingPageQuery(userId: string, page: Page, { kind, type, prospect_id, from, to }: MeetingFilter) {
  let list = meetingsQuery(userId)
    .$call(latestFirst(page, { sort: 'created_at', id: 'id' }))
    .where((eb) => eb.and({ type, prospect_id }));
  if (kind !== undefined) list = list.where('scheduled_at', kind === 'template' ? 'is' : 'is not', null);
  if (from !== undefined) list = list.where('scheduled_at', '>=', from);
  if (to !== undefined) list = list.where('scheduled_at', '<', to);
  return list;
}

/** Planned meetings of a person that are ahead and have no outcome, the next one first. @param now milliseconds. */
export function upcomingMeetingsQuery(userId: string, now: number) {
  return meetingsQuery(userId)
    .where('outcome', 'is', null)
    .where('scheduled_at', '>=', new Date(now).toISOString())
    .orderBy('scheduled_at')
    .orderBy('id');
}
