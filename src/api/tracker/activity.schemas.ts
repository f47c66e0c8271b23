import { z } from 'zod';
import { day, dayInput } from '../../platform/value-schemas.ts';
import { activityStatuses, activityTypes } from '../../domain/tracker/tracker-scoring.ts';
import { freeText, ownedFields, rowId, rowTimestamps } from './tracker.schemas.ts';

/** The words are those of S0-51. */
export const activityType = z.enum(activityTypes, {
  error: ({ input }) =>
    typeof input === 'string' || typeof input === 'number'
      ? `Invalid activity type: ${String(input).slice(0, 50).toWellFormed()}`
      : undefined,
});
export const activityStatus = z.enum(activityStatuses);
const notes = freeText(10_000);

/** An activity as it is answered (S0-31). */
export const ActivityBody = z
  .object({
    ...ownedFields,
    type: activityType,
    status: activityStatus,
    date: day,
    amount: z.int().min(1),
    notes: z.string().nullable(),
    prospect_id: rowId.nullable(),
    meeting_id: rowId.nullable(),
    ...rowTimestamps,
  })
  .meta({ id: 'AdminActivityResponse' });

export const ActivityCreate = z
  .strictObject({
    type: activityType,
    status: activityStatus,
    date: dayInput,
    amount: z.int().min(1).max(10_000).default(1),
    notes: notes.nullable().default(null),
    prospect_id: rowId.nullable().default(null),
  })
  .meta({ id: 'AdminActivityCreate' });

export const ActivityUpdate = z
  .strictObject({ status: activityStatus.optional(), notes: notes.nullable().optional() })
  .meta({ id: 'AdminActivityUpdate' });
