import { Temporal } from 'temporal-polyfill';

/**
 * The calendar day that an instant falls on in a time zone, `YYYY-MM-DD`.
 *
 * @param epochMs milliseconds since the epoch.
 * @param zone IANA name.
 * @throws RangeError when the runtime does not know the zone.
 */
export function localDay(epochMs: number, zone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(zone).toPlainDate().toString();
}
