import { z } from 'zod';
import { day } from '../../platform/value-schemas.ts';
import { FocusSessionBody } from './focus-session.schemas.ts';
import { GoalProgressBody } from './goal.schemas.ts';
import { MeetingBody } from './meeting.schemas.ts';
import { NudgeBody } from './nudge.schemas.ts';
import { ScoreBody } from './score.schemas.ts';

export const TrackerDashboardBody = z
  .object({
    date: day.describe('Today in the caller’s time zone'),
    score: ScoreBody,
    streak_days: z.int().min(0),
    week_progress: GoalProgressBody.nullable().describe('Null without a goal for this week'),
    active_session: FocusSessionBody.nullable(),
    unread_nudges: z.array(NudgeBody),
    next_meetings: z.array(MeetingBody),
  })
  .meta({ id: 'TrackerDashboard' });
