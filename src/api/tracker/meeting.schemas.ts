import { z } from 'zod';
import { meetingOutcomes, meetingTypes } from '../../entities/tracker/meeting.entity.ts';
import { pageQuery } from '../../platform/database/keyset-page.ts';
import { dayInput, lineText, timestamp, timestampInput } from '../../platform/value-schemas.ts';
import { activityType } from './activity.schemas.ts';
import { freeText, ownedFields, queryId, rowId, rowTimestamps } from './tracker.schemas.ts';

const longText = freeText(20_000).nullable();

const fields = {
  title: lineText(255),
  type: z.enum(meetingTypes),
  duration_minutes: z.int().min(1).max(1440),
  agenda: longText,
  questions: longText,
  follow_up_tasks: longText.describe('One task per line'),
  scheduled_at: timestampInput.nullable(),
  prospect_id: rowId.nullable(),
};

/** A template or planned meeting as it is answered (S0-82, S0-93). */
export const MeetingBody = z
  .object({
    ...ownedFields,
    title: z.string(),
    type: z.enum(meetingTypes),
    duration_minutes: z.int(),
    agenda: z.string().nullable(),
    questions: z.string().nullable(),
    follow_up_tasks: z.string().nullable().describe('One task per line'),
    template_id: rowId.nullable(),
    scheduled_at: timestamp.nullable().describe('Null for a template'),
    prospect_id: rowId.nullable(),
    outcome: z.enum(meetingOutcomes).nullable(),
    outcome_notes: z.string().nullable(),
    ...rowTimestamps,
  })
  .meta({ id: 'AdminMeetingResponse' });

export const MeetingCreate = z
  .strictObject({
    title: fields.title,
    type: fields.type,
    duration_minutes: fields.duration_minutes.default(60),
    agenda: longText.default(null),
    questions: longText.default(null),
    follow_up_tasks: fields.follow_up_tasks.default(null),
    scheduled_at: fields.scheduled_at.default(null),
    prospect_id: fields.prospect_id.default(null),
  })
  .meta({ id: 'AdminMeetingCreate' });

export const MeetingUpdate = z
  .strictObject({ ...fields, outcome: z.enum(meetingOutcomes).nullable(), outcome_notes: longText })
  .partial()
  .meta({ id: 'AdminMeetingUpdate' });

export const MeetingPlan = z.strictObject({ scheduled_at: timestampInput, prospect_id: rowId.nullable().default(null) });

export const MeetingFollowUps = z.strictObject({
  tasks: z
    .array(
      z.strictObject({
        line: z.int().min(1).max(1000).describe('Line of follow_up_tasks, from 1'),
        type: activityType,
        date: dayInput,
      }),
    )
    .min(1)
    .max(100),
});

export const meetingListQuery = z.strictObject({
  ...pageQuery,
  kind: z.enum(['template', 'planned']).optional(),
  type: z.enum(meetingTypes).optional(),
  prospect_id: queryId.optional(),
  from: timestampInput.optional(),
  to: timestampInput.optional(),
});
