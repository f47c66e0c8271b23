import { addDays } from '../../domain/tracker/tracker-calendar.ts';
import type { Day } from '../../domain/tracker/tracker-calendar.ts';
import type { ActivityStatus, ActivityType } from '../../domain/tracker/tracker-scoring.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { readAll } from '../../platform/database/read.ts';
import { latestFirst } from './tracker-page.queries.ts';
import { personQuery, trackerPerson, utcDay } from './tracker-profile.queries.ts';
import type { Person } from './tracker-profile.queries.ts';

/** The columns of an activity that are displayed. */
const activityColumns = [
  'id',
  'user_id',
  'type',
  'status',
  'date',
  'amount',
  'notes',
  'prospect_id',
  'meeting_id',
  'created_at',
  'updated_at',
] as const;

/** All activities of a person. */
export function activitiesQuery(userId: string) {
  return kysely.selectFrom('admin_activities').where('user_id', '=', userId).select(activityColumns);
}

/** What a list of activities is narrowed by; both days are included. */
interface ActivityFilter {
  readonly from?: Day | undefined;
  readonly to?: Day | undefined;
  readonly type?: ActivityType | undefined;
  readonly status?: ActivityStatus | undefined;
  readonly prospect_id?: number | undefined;
}

/** A page of the activities of a person, newest first. */
export function activityPageQuery(userId: string, page: Page, { from, to, ...equal }: ActivityFilter) {
  let list = activitiesQuery(userId)
    .$call(latestFirst(page, { sort: 'created_at', id: 'id' }))
    .where((eb) => eb.and(equal));
  if (from !== undefined) list = list.where('date', '>=', from);
  if (to !== undefined) list = list.where('date', '<=', to);
  return list;
}

/** The activities of a person's present day, newest first. */
export async function loadTodayActivities(
  { db, now }: Pick<ProcessDeps, 'db' | 'now'>,
  { tenant_id, user_id }: Person,
) {
  const time = now();
  const today = utcDay(time);
  const [[row], activities] = await readAll(db, { tenant_id, user_id }, [
    personQuery(user_id),
    activitiesQuery(user_id)
      .where('date', '>=', addDays(today, -1))
      .where('date', '<=', addDays(today, 1))
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc'),
  ]);
  if (row === undefined) throw notFound('user');
  const { local_time } = trackerPerson(row, time);
  return activities.filter(({ date }) => date === local_time.day);
}
