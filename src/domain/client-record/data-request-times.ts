import { Temporal } from 'temporal-polyfill';
import type { DataRequestState } from './data-request.ts';

/** The hour at which people are told, in the time zone of the tenant. */
const tellingHour = 9;

/** The due date of a request that came on a day, both `YYYY-MM-DD`. */
export function dueDay(receivedOn: string, days: number): string {
  return Temporal.PlainDate.from(receivedOn).add({ days }).toString();
}

/** When people are told on a day, by the clocks of a time zone. @returns milliseconds since the epoch */
export function tellingTime(day: string, zone: string): number {
  return Temporal.PlainDate.from(day).toZonedDateTime({ timeZone: zone, plainTime: { hour: tellingHour } }).epochMilliseconds;
}

/** A request as the table holds it, as far as its times are concerned. */
interface TimedRequest {
  readonly due_on: string;
  readonly reminder_days: readonly number[];
  /** The days of the reminder that was given last. */
  readonly reminded_days: number | null;
  readonly overdue_told_at: string | null;
}

/** The times at which people are to be told of a request that stays open; it is overdue from the day after its due date on. */
export function tellingTimes(request: TimedRequest, zone: string): Pick<DataRequestState, 'reminders' | 'overdue_at'> {
  const { due_on, reminder_days, reminded_days, overdue_told_at } = request;
  const due = Temporal.PlainDate.from(due_on);
  const left = reminder_days.filter((days) => reminded_days === null || days < reminded_days).toSorted((one, other) => other - one);
  return {
    reminders:
      overdue_told_at === null ? left.map((days) => ({ days, at: tellingTime(due.subtract({ days }).toString(), zone) })) : [],
    overdue_at: overdue_told_at === null ? tellingTime(due.add({ days: 1 }).toString(), zone) : null,
  };
}
