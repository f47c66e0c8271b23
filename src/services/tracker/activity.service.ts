import { sql } from 'kysely';
import type { Insertable, Selectable } from 'kysely';
import { jsonArrayFrom, jsonObjectFrom } from 'kysely/helpers/postgres';
import { localTime } from '../../domain/tracker/tracker-calendar.ts';
import type { Day } from '../../domain/tracker/tracker-calendar.ts';
import { dailyScore } from '../../domain/tracker/tracker-scoring.ts';
import { freshStreaks, streaksAfterScore } from '../../domain/tracker/tracker-streak.ts';
import type { RestCalendar } from '../../domain/tracker/tracker-streak.ts';
import { prepared } from '../../entities/prepared-statement.ts';
import { streakDayOf } from './score.queries.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { CastellanSchema } from '../../entities/kysely-schema.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assertOwnProspect } from './own-prospect.repository.ts';
import { lockTracker, trackerLock } from './tracker-lock.repository.ts';

/** A row of the table of activities. */
export type ActivityRow = Selectable<CastellanSchema['admin_activities']>;

/** A new activity without its owner. */
type NewActivity = Omit<Insertable<CastellanSchema['admin_activities']>, 'tenant_id' | 'user_id' | 'id'>;

/** The fields of an activity that can change (S0-30). */
type ActivityChanges = Partial<Pick<ActivityRow, 'status' | 'notes'>>;

/**
 * Logs activities. This file is the only writer of activities and scores: with every change the score of its day is
 * rewritten, and the streaks of that day and of the later days that depend on it, so that they equal a recomputation
 * from scratch (S0-78, S0-79).
 *
 * @param now milliseconds since the epoch: what is done on a later day of the person is not done yet.
 * @throws Problem `request.invalid` for such a day, and for a prospect that is not the person's.
 */
export async function logActivities(
  tx: Tx,
  userId: string,
  activities: readonly NewActivity[],
  now: number,
): Promise<ActivityRow[]> {
  for (const prospectId of new Set(activities.map(({ prospect_id }) => prospect_id))) {
    await assertOwnProspect(tx, userId, prospectId);
  }
  const rows = await insertActivities(tx, userId, activities);
  for (const day of new Set(rows.map(({ date }) => date))) {
    const { time_zone } = await scoreDay(tx, userId, day);
    const isDone = rows.some(({ date, status }) => date === day && status === 'done');
    if (isDone) assertNotAhead(day, time_zone, now, '/date');
  }
  for (const row of rows) {
    tx.audit({
      event: 'activity.create',
      action: 'create',
      resource_type: 'activity',
      resource_id: String(row.id),
      new_values: row,
    });
  }
  return rows;
}

/**
 * Changes status or notes of an activity.
 *
 * @param now milliseconds since the epoch, as in {@link logActivities}.
 * @throws Problem `resource.not-found` when the person has no such activity; `request.invalid` when one of a later day is done.
 */
export async function updateActivity(
  tx: Tx,
  userId: string,
  id: number,
  changes: ActivityChanges,
  now: number,
): Promise<ActivityRow> {
  await lockTracker(tx, userId);
  const before = await findActivity(tx, userId, id);
  const row = await tx.sql
    .updateTable('admin_activities')
    .set({ ...changes, updated_at: sql<string>`now()` })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  if (row.status !== before.status) {
    const { time_zone } = await scoreDay(tx, userId, row.date);
    if (row.status === 'done') assertNotAhead(row.date, time_zone, now, '/status');
  }
  tx.audit({
    event: 'activity.update',
    action: 'update',
    resource_type: 'activity',
    resource_id: String(id),
    old_values: { status: before.status, notes: before.notes },
    new_values: { status: row.status, notes: row.notes },
  });
  return row;
}

/** Deletes an activity. @throws Problem `resource.not-found` when the person has no such activity. */
export async function deleteActivity(tx: Tx, userId: string, id: number): Promise<void> {
  await lockTracker(tx, userId);
  const before = await findActivity(tx, userId, id);
  await tx.sql.deleteFrom('admin_activities').where('id', '=', id).execute();
  if (before.status === 'done') await scoreDay(tx, userId, before.date);
  tx.audit({
    event: 'activity.delete',
    action: 'delete',
    resource_type: 'activity',
    resource_id: String(id),
    old_values: before,
  });
}

/** Recomputes all streaks of a person, after the days that freeze them have changed. */
export async function recomputeStreaks(tx: Tx, userId: string): Promise<void> {
  await lockTracker(tx, userId);
  const calendar = await restCalendar(tx, userId);
  const stored = await tx.sql
    .selectFrom('admin_scores')
    .where('user_id', '=', userId)
    .orderBy('date')
    .select(['date', 'score', 'streak_days', 'activities_count'])
    .execute();
  const fresh = freshStreaks(stored.map(streakDayOf), calendar);
  const changed = stored.filter(({ streak_days }, index) => fresh[index]?.streak_days !== streak_days);
  const streakByDay = new Map(fresh.map(({ day, streak_days }) => [day, streak_days]));
  await saveScores(
    tx,
    userId,
    changed.map((row) => ({ ...row, streak_days: streakByDay.get(row.date) ?? 0 })),
  );
}

/**
 * Takes the lock and inserts in one statement. The next statement has a new snapshot, so it sees what others committed
 * while this one waited for the lock.
 */
async function insertActivities(tx: Tx, userId: string, activities: readonly NewActivity[]): Promise<ActivityRow[]> {
  const { rows } = await sql<ActivityRow>`
    insert into admin_activities
      (tenant_id, user_id, type, status, date, amount, notes, prospect_id, meeting_id, follow_up_line)
    select ${tx.actor.tenant_id}::uuid, ${userId}::uuid, d.type, d.status, d.date, coalesce(d.amount, 1), d.notes,
      d.prospect_id, d.meeting_id, d.follow_up_line
    from (select ${trackerLock(userId)}) locked,
      json_to_recordset(${JSON.stringify(activities)}::json) as d(type text, status text, date date, amount int,
        notes text, prospect_id int, meeting_id int, follow_up_line int)
    returning *`.execute(tx.sql);
  return rows;
}

async function findActivity(tx: Tx, userId: string, id: number): Promise<ActivityRow> {
  const row = await tx.sql
    .selectFrom('admin_activities')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .selectAll()
    .executeTakeFirst();
  if (row === undefined) throw notFound('activity');
  return row;
}

interface ScoreRow {
  readonly date: Day;
  readonly score: number;
  readonly streak_days: number;
  readonly activities_count: number;
}

/**
 * Computes and saves score and streaks of one day. A day on which nothing was ever done gets no row (S0-87).
 *
 * @returns the zone in which the person's days are counted.
 */
async function scoreDay(tx: Tx, userId: string, day: Day): Promise<{ time_zone: string }> {
  const { activities, stored, before, later, rest_weekdays, vacations, time_zone } = await dayFacts(tx, userId, day);
  const { score, activities_count } = dailyScore(activities);
  if (activities_count === 0 && stored === null) return { time_zone };
  const countByDay = new Map(later.map((row) => [row.date, row.activities_count]));
  const changed = streaksAfterScore(
    { day, score },
    before === null ? null : streakDayOf(before),
    later.map(streakDayOf),
    { rest_weekdays: rest_weekdays ?? [], vacations },
  );
  const rows = changed.map((row) => ({
    date: row.day,
    score: row.score,
    streak_days: row.streak_days,
    activities_count: countByDay.get(row.day) ?? activities_count,
  }));
  await saveScores(tx, userId, rows);
  return { time_zone };
}

function assertNotAhead(day: Day, timeZone: string, now: number, pointer: string): void {
  const today = localTime(now, timeZone).day;
  if (day > today) throw invalidInput([{ pointer, detail: `is of a day that has not come: today is ${today} in ${timeZone}` }]);
}

async function dayFacts(tx: Tx, userId: string, day: Day) {
  const { rows } = await tx.sql.executeQuery(dayFactsQuery({ user_id: userId, day }).compile());
  const [facts] = rows;
  if (facts === undefined) throw new Error('The facts of a day are one row.');
  return facts;
}

/** Everything that the score of a day and the streaks after it depend on. The benchmark runs the same statement. */
export const dayFactsQuery = prepared<{ user_id: string; day: Day }>()((param) => {
  const scores = kysely
    .selectFrom('admin_scores')
    .where('user_id', '=', param('user_id'))
    .select(['date', 'score', 'streak_days', 'activities_count']);
  return kysely.selectNoFrom((eb) => [
    jsonArrayFrom(
      eb
        .selectFrom('admin_activities')
        .where('user_id', '=', param('user_id'))
        .where('date', '=', param('day'))
        .select(['type', 'status', 'amount']),
    ).as('activities'),
    jsonObjectFrom(scores.where('date', '=', param('day'))).as('stored'),
    jsonObjectFrom(scores.where('date', '<', param('day')).orderBy('date', 'desc').limit(1)).as('before'),
    jsonArrayFrom(scores.where('date', '>', param('day')).orderBy('date')).as('later'),
    eb
      .selectFrom('admin_tracker_settings')
      .where('user_id', '=', param('user_id'))
      .select('rest_weekdays')
      .as('rest_weekdays'),
    jsonArrayFrom(
      eb.selectFrom('admin_tracker_vacations').where('user_id', '=', param('user_id')).select(['starts_on', 'ends_on']),
    ).as('vacations'),
    eb
      .selectFrom('users as u')
      .innerJoin('tenants as t', 't.id', 'u.tenant_id')
      .where('u.id', '=', param('user_id'))
      .select((of) => of.fn.coalesce('u.time_zone', 't.time_zone').as('time_zone'))
      .$asScalar()
      .$notNull()
      .as('time_zone'),
  ]);
});

async function restCalendar(tx: Tx, userId: string): Promise<RestCalendar> {
  const settings = await tx.sql
    .selectFrom('admin_tracker_settings')
    .where('user_id', '=', userId)
    .select('rest_weekdays')
    .executeTakeFirst();
  const vacations = await tx.sql
    .selectFrom('admin_tracker_vacations')
    .where('user_id', '=', userId)
    .select(['starts_on', 'ends_on'])
    .execute();
  return { rest_weekdays: settings?.rest_weekdays ?? [], vacations };
}

async function saveScores(tx: Tx, userId: string, rows: readonly ScoreRow[]): Promise<void> {
  if (rows.length === 0) return;
  await sql`
    insert into admin_scores (tenant_id, user_id, date, score, streak_days, activities_count)
    select ${tx.actor.tenant_id}::uuid, ${userId}::uuid, d.date, d.score, d.streak_days, d.activities_count
    from json_to_recordset(${JSON.stringify(rows)}::json) as d(date date, score int, streak_days int, activities_count int)
    on conflict (user_id, date) do update set score = excluded.score, streak_days = excluded.streak_days,
      activities_count = excluded.activities_count, updated_at = now()`.execute(tx.sql);
}
