import { Temporal } from 'temporal-polyfill';

/** A calendar day as ISO text (`2025-11-01`), without zone; sorts as it reads. */
export type Day = string;

/** Day and minute in the time zone of a person; days never count in the zone of the server (S0-86). */
export interface LocalTime {
  readonly day: Day;
  /** Hour times 60 plus minute of the wall clock, 0..1439; on a day with a clock change not the time elapsed. */
  readonly minute: number;
}

/** First day of a person's week (`user_preferences.week_start`). */
export type WeekStart = 'monday' | 'saturday' | 'sunday';

const dayMs = 86_400_000;
const isoWeekday: Record<WeekStart, number> = { monday: 1, saturday: 6, sunday: 7 };

/**
 * The local day and minute of an instant.
 *
 * @param zone IANA name.
 * @throws RangeError when the runtime does not know the zone.
 */
export function localTime(epochMs: number, zone: string): LocalTime {
  const local = Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(zone);
  return { day: local.toPlainDate().toString(), minute: local.hour * 60 + local.minute };
}

/** The instant at which a day begins in a zone, RFC 3339. After a clock change at midnight it isn't 00:00. */
export function startOfDay(day: Day, zone: string): string {
  return Temporal.PlainDate.from(day).toZonedDateTime(zone).toInstant().toString();
}

/** The day that is `days` later, or earlier when negative. */
export function addDays(day: Day, days: number): Day {
  return new Date(Date.parse(day) + days * dayMs).toISOString().slice(0, 10);
}

/** Days from one day to another; negative when the second is earlier. */
export function daysBetween(from: Day, to: Day): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / dayMs);
}

/** ISO weekday: Monday is 1, Sunday 7. */
export function weekdayOf(day: Day): number {
  return new Date(Date.parse(day)).getUTCDay() || 7;
}

/** The first day of the week that contains a day. */
export function weekStartOf(day: Day, start: WeekStart): Day {
  return addDays(day, -((weekdayOf(day) - isoWeekday[start] + 7) % 7));
}

/** The seven days of a week, given its first day (S0-98). */
export function weekDays(first: Day): Day[] {
  return Array.from({ length: 7 }, (_, offset) => addDays(first, offset));
}
