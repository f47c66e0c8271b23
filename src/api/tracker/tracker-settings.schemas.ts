import { z } from 'zod';
import { day, dayInput, timestamp, uuid } from '../../platform/value-schemas.ts';
import { rowId } from './tracker.schemas.ts';

const weekday = z.int().min(1).max(7).describe('ISO weekday, Monday is 1');
const minuteOfDay = z.int().min(0).max(1439).describe('Minutes since local midnight');

export const TrackerSettingsBody = z
  .object({
    rest_weekdays: z.array(weekday),
    quiet_from_minute: minuteOfDay,
    quiet_to_minute: minuteOfDay,
    daily_nudge_cap: z.int().min(0).max(50),
  })
  .meta({ id: 'TrackerSettings' });

export const TrackerSettingsUpdate = z
  .strictObject({
    rest_weekdays: z
      .array(weekday)
      .max(6)
      .refine((days) => new Set(days).size === days.length, 'must name each weekday once')
      .optional(),
    quiet_from_minute: minuteOfDay.optional(),
    quiet_to_minute: minuteOfDay.optional(),
    daily_nudge_cap: z.int().min(0).max(50).optional(),
  })
  .meta({ id: 'TrackerSettingsUpdate' });

export const VacationBody = z
  .object({ id: rowId, user_id: uuid, starts_on: day, ends_on: day, created_at: timestamp })
  .meta({ id: 'TrackerVacation' });

const maxVacationMs = 365 * 86_400_000;

export const VacationCreate = z
  .strictObject({ starts_on: dayInput, ends_on: dayInput })
  .refine(({ starts_on, ends_on }) => starts_on <= ends_on, {
    path: ['ends_on'],
    message: 'must not be before starts_on',
  })
  .refine(({ starts_on, ends_on }) => Date.parse(ends_on) - Date.parse(starts_on) <= maxVacationMs, {
    path: ['ends_on'],
    message: 'must be within a year of starts_on',
  });
