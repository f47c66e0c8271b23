import { z } from 'zod';
import { day, dayInput } from '../../platform/value-schemas.ts';
import { ownedFields, rowId, rowTimestamps } from './tracker.schemas.ts';

const amount = z.int().min(0);
const target = z.int().min(0).max(100_000);

/** A goal as it is answered (S0-28). */
export const GoalBody = z
  .object({
    ...ownedFields,
    week_start: day,
    target_discoveries: amount,
    target_emails: amount,
    target_videos: amount,
    target_calls: amount,
    ...rowTimestamps,
  })
  .meta({ id: 'AdminGoalResponse' });

export const GoalCreate = z
  .strictObject({
    week_start: dayInput,
    target_discoveries: target.default(0),
    target_emails: target.default(0),
    target_videos: target.default(0),
    target_calls: target.default(0),
  })
  .meta({ id: 'AdminGoalCreate' });

export const GoalUpdate = z
  .strictObject({
    target_discoveries: target.optional(),
    target_emails: target.optional(),
    target_videos: target.optional(),
    target_calls: target.optional(),
  })
  .meta({ id: 'AdminGoalUpdate' });

const typeProgress = z
  .object({
    target: amount,
    done: amount,
    percent: amount.describe('Whole percent of the target; 0 without a target'),
    expected: amount.describe('Result expected by now, after the working days that are over'),
    projection: amount.describe('Expected result of the week at the current pace'),
    state: z.enum(['no_target', 'reached', 'on_track', 'behind', 'missed']),
  })
  .meta({ id: 'TypeProgress' });

/** Progress of a week against its goal (S0-97). */
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
