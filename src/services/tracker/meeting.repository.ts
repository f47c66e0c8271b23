import type { Selectable } from 'kysely';
import type { CastellanSchema } from '../../entities/kysely-schema.ts';
import { AdminMeetingEntity } from '../../entities/tracker/meeting.entity.ts';
import { lockOne } from '../../platform/database/entity-row.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

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

/** A meeting as it is displayed. */
export type MeetingRow = Pick<Selectable<CastellanSchema['admin_meetings']>, (typeof meetingColumns)[number]>;

/** Loads and locks a meeting of a person. @throws Problem `resource.not-found`. */
export const lockMeeting = (tx: Tx, userId: string, id: number) =>
  lockOne(tx, AdminMeetingEntity, { id, user_id: userId }, 'meeting');
