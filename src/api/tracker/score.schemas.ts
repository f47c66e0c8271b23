import { z } from 'zod';
import { day, timestamp, uuid } from '../../platform/value-schemas.ts';
import { rowId } from './tracker.schemas.ts';

/** The score of a day (S0-32). A day on which nothing was done has no row, so id and timestamps are null (S0-87). */
export const ScoreBody = z
  .object({
    id: rowId.nullable(),
    user_id: uuid,
    date: day,
    score: z.int().min(0).max(100),
    streak_days: z.int().min(0),
    activities_count: z.int().min(0),
    created_at: timestamp.nullable(),
    updated_at: timestamp.nullable(),
  })
  .meta({ id: 'AdminScoreResponse' });

export const WeekScoresBody = z
  .object({ week_start: day, week_end: day, total: z.int().min(0), items: z.array(ScoreBody).length(7) })
  .meta({ id: 'WeekScores' });

export const StreakBody = z
  .object({ streak_days: z.int().min(0), date: day.describe('Today in the caller’s time zone') })
  .meta({ id: 'Streak' });
