import { kysely } from '../../entities/kysely-schema.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { latestFirst } from './tracker-page.queries.ts';

/** The settings that are displayed. */
export const trackerSettingsColumns = [
  'rest_weekdays',
  'quiet_from_minute',
  'quiet_to_minute',
  'daily_nudge_cap',
] as const;

/** Settings of a person who has changed none; the defaults of the columns. */
export const defaultTrackerSettings = {
  rest_weekdays: [] as number[],
  quiet_from_minute: 1320,
  quiet_to_minute: 420,
  daily_nudge_cap: 5,
};

/** The settings of a person; no row where {@link defaultTrackerSettings} apply. */
export function trackerSettingsQuery(userId: string) {
  return kysely.selectFrom('admin_tracker_settings').where('user_id', '=', userId).select(trackerSettingsColumns);
}

/** The columns of a vacation that are displayed. */
export const vacationColumns = ['id', 'user_id', 'starts_on', 'ends_on', 'created_at'] as const;

/** A page of the vacations of a person, latest first. */
export function vacationPageQuery(userId: string, page: Page) {
  return kysely
    .selectFrom('admin_tracker_vacations')
    .where('user_id', '=', userId)
    .select(vacationColumns)
    .$call(latestFirst(page, { sort: 'starts_on', id: 'id' }));
}
