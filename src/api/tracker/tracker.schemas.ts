import { z } from 'zod';
import { focusEndings, focusStates } from '../../domain/tracker/tracker-focus.ts';
import { nudgePriorities, nudgeRules, nudgeTypes } from '../../domain/tracker/tracker-nudge-rules.ts';
import { activityStatuses, activityTypes } from '../../domain/tracker/tracker-scoring.ts';
import { meetingOutcomes, meetingTypes } from '../../entities/tracker/meeting.entity.ts';
import { timestamp } from '../../platform/value-schemas.ts';
import { day, rowId } from './tracker-route-defaults.ts';

const owned = { id: rowId, user_id: z.uuid() };
const stamps = { created_at: timestamp, updated_at: timestamp };
const amount = z.int().min(0);

/** S0-28 */
export const GoalBody = z
  .object({
    ...owned,
    week_start: day,
    target_discoveries: amount,
    target_emails: amount,
    target_videos: amount,
    target_calls: amount,
    ...stamps,
  })
  .meta({ id: 'AdminGoalResponse' });

/** S0-31 */
export const ActivityBody = z
  .object({
    ...owned,
    type: z.enum(activityTypes),
    status: z.enum(activityStatuses),
    date: day,
    amount: z.int().min(1),
    notes: z.string().nullable(),
    prospect_id: rowId.nullable(),
    meeting_id: rowId.nullable(),
    ...stamps,
  })
  .meta({ id: 'AdminActivityResponse' });

/** S0-32; a day on which nothing was done has no row, so it has no id and no stamps (S0-87). */
export const ScoreBody = z
  .object({
    id: rowId.nullable(),
    user_id: z.uuid(),
    date: day,
    score: z.int().min(0).max(100),
    streak_days: z.int().min(0),
    activities_count: z.int().min(0),
    created_at: timestamp.nullable(),
    updated_at: timestamp.nullable(),
  })
  .meta({ id: 'AdminScoreResponse' });

const typeProgress = z
  .object({
    target: amount,
    done: amount,
    percent: amount.describe('Whole percent of the target; 0 without a target'),
    expected: amount.describe('What the working days that are over ask for'),
    projection: amount.describe('What the week ends with at the present pace'),
    state: z.enum(['no_target', 'reached', 'on_track', 'behind', 'missed']),
  })
  .meta({ id: 'TypeProgress' });

/** S0-97 */
export const GoalProgressBody = z
  .object({
    goal_id: rowId,
    week_start: day,
    week_end: day,
    days_elapsed: z.int().min(0).max(7),
    on_track: z.boolean(),
    percent: z.int().min(0).max(100),
    types: z.object({ discovery: typeProgress, email: typeProgress, video: typeProgress, call: typeProgress }),
  })
  .meta({ id: 'WeeklyProgress' });

/** S0-32 */
export const FocusSessionBody = z
  .object({
    ...owned,
    start_time: timestamp,
    end_time: timestamp.nullable(),
    duration_minutes: z.int().describe('Planned length'),
    completed: z.boolean(),
    interrupted: z.boolean(),
    notes: z.string().nullable(),
    state: z.enum(focusStates),
    due_at: timestamp.describe('When the timer ends if nobody pauses again'),
    paused_at: timestamp.nullable(),
    paused_ms: z.int().min(0).describe('Length of the pauses that are over, milliseconds'),
    remaining_seconds: z.int().min(0),
    actual_minutes: z.int().min(0).nullable().describe('Whole minutes without pauses, once it has ended'),
    ending: z.enum(focusEndings).nullable().describe('What ended it'),
    created_at: timestamp,
  })
  .meta({ id: 'AdminFocusSessionResponse' });

/** S0-82 */
export const NudgeBody = z
  .object({
    ...owned,
    type: z.enum(nudgeTypes),
    message: z.string(),
    priority: z.enum(nudgePriorities),
    read: z.boolean(),
    action_url: z.string().nullable(),
    rule: z.enum(nudgeRules),
    worded_by: z.enum(['rule', 'model']),
    snoozed_until: timestamp.nullable(),
    expires_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'AdminNudgeResponse' });

/** S0-82, S0-93 */
export const MeetingBody = z
  .object({
    ...owned,
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
    ...stamps,
  })
  .meta({ id: 'AdminMeetingResponse' });
