import { z } from 'zod';
import { meetingOutcomes, meetingTypes } from '../../entities/tracker/meeting.entity.ts';
import { timestamp } from '../../platform/value-schemas.ts';
import { ownedFields, rowId, rowTimestamps } from './tracker.schemas.ts';

/** A template or planned meeting as it is answered (S0-82, S0-93). */
export const MeetingBody = z
  .object({
    ...ownedFields,
    title: z.string(),
    type: z.enum(meetingTypes),
    duration_minutes: z.int(),
    agenda: z.string().nullable(),
    questions: z.string().nullable(),
    follow_up_tasks: z.string().nullable().describe('One task a line'),
    template_id: rowId.nullable(),
    scheduled_at: timestamp.nullable().describe('Null for a template'),
    prospect_id: rowId.nullable(),
    outcome: z.enum(meetingOutcomes).nullable(),
    outcome_notes: z.string().nullable(),
    ...rowTimestamps,
  })
  .meta({ id: 'AdminMeetingResponse' });
