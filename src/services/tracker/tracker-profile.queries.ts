import { sql } from 'kysely';
import type { CompiledQuery } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import type { Actor } from '../../domain/shared/actor.ts';
import { localTime } from '../../domain/tracker/tracker-calendar.ts';
import type { Day, LocalTime, WeekStart } from '../../domain/tracker/tracker-calendar.ts';
import type { RestCalendar } from '../../domain/tracker/tracker-streak.ts';
import { prepared } from '../../entities/prepared-statement.ts';
import { kysely } from '../../entities/kysely-schema.ts';

/** Somebody who keeps a tracker; a service token has none. */
export type Person = Actor & { readonly user_id: string };

/** What of a person decides which day "today" is and on which days nothing is expected. */
export interface TrackerPerson {
  readonly time_zone: string;
  readonly week_start: WeekStart;
  readonly calendar: RestCalendar;
  /** The person's local day and minute at the time that was asked about. */
  readonly local_time: LocalTime;
}

const personStatement = prepared<{ user_id: string }>()((param) =>
  kysely
    .selectFrom('users as u')
    .innerJoin('tenants as t', 't.id', 'u.tenant_id')
    .leftJoin('user_preferences as p', 'p.user_id', 'u.id')
    .leftJoin('admin_tracker_settings as s', 's.user_id', 'u.id')
    .where('u.id', '=', param('user_id'))
    .select((eb) => [
      eb.fn.coalesce('u.time_zone', 't.time_zone').as('time_zone'),
      eb.fn.coalesce('p.week_start', sql.lit<WeekStart>('monday')).as('week_start'),
      eb.fn.coalesce('s.rest_weekdays', sql<number[]>`'{}'::smallint[]`).as('rest_weekdays'),
      jsonArrayFrom(
        eb
          .selectFrom('admin_tracker_vacations as v')
          .whereRef('v.user_id', '=', 'u.id')
          .select(['v.starts_on', 'v.ends_on']),
      ).as('vacations'),
    ]),
);

/** Time zone (own, else the tenant's; S0-86), first day of the week, rest weekdays and vacations of a person. */
export function personQuery(userId: string) {
  return personStatement({ user_id: userId });
}

type PersonRow = ReturnType<ReturnType<typeof personQuery>['compile']> extends CompiledQuery<infer Row> ? Row : never;

/** Reads the row of {@link personQuery}. @param now milliseconds since the epoch. */
export function trackerPerson({ time_zone, week_start, rest_weekdays, vacations }: PersonRow, now: number): TrackerPerson {
  return { time_zone, week_start, calendar: { rest_weekdays, vacations }, local_time: localTime(now, time_zone) };
}

/** The UTC day. A person's own day is at most one day off, so reads can ask for a window before the zone is known. */
export function utcDay(now: number): Day {
  return new Date(now).toISOString().slice(0, 10);
}
