import { sql } from 'kysely';
import type { Day } from '../../domain/tracker/tracker-calendar.ts';
import { TrackerVacationEntity } from '../../entities/tracker/score.entity.ts';
import { toRow } from '../../platform/database/entity-row.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { notFound } from '../../platform/problem.ts';
import { recomputeStreaks } from './activity.service.ts';
import { trackerSettingsColumns, vacationColumns } from './tracker-settings.queries.ts';

/** What a person sets; what is left out stays. */
interface TrackerSettingsChange {
  readonly rest_weekdays?: number[] | undefined;
  readonly quiet_from_minute?: number | undefined;
  readonly quiet_to_minute?: number | undefined;
  readonly daily_nudge_cap?: number | undefined;
}

/**
 * Changes a person's settings by one upsert, because most people have no row yet. Other rest days freeze other days, so
 * all streaks are recomputed then.
 */
export async function updateTrackerSettings(tx: Tx, userId: string, change: TrackerSettingsChange) {
  const { rest_weekdays, ...rest } = change;
  const values = {
    ...rest,
    ...(rest_weekdays === undefined ? {} : { rest_weekdays: sql<number[]>`${rest_weekdays}::smallint[]` }),
  };
  const row = await tx.sql
    .insertInto('admin_tracker_settings')
    .values({ ...values, user_id: userId, tenant_id: tx.actor.tenant_id })
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'user_id']).doUpdateSet({ ...values, updated_at: sql<string>`now()` }),
    )
    .returning(trackerSettingsColumns)
    .executeTakeFirstOrThrow();
  if (rest_weekdays !== undefined) await recomputeStreaks(tx, userId);
  tx.audit({
    event: 'tracker_settings.update',
    action: 'update',
    resource_type: 'tracker_settings',
    resource_id: userId,
    new_values: change,
  });
  return row;
}

/** First and last day of a vacation. */
interface NewVacation {
  readonly starts_on: Day;
  readonly ends_on: Day;
}

/** Takes days off, which freezes the streak; all streaks are recomputed. */
export async function createVacation(tx: Tx, userId: string, vacation: NewVacation) {
  const created = tx.em.create(TrackerVacationEntity, { ...vacation, user_id: userId });
  await tx.flush();
  const row = toRow(created, vacationColumns);
  await recomputeStreaks(tx, userId);
  tx.audit({
    event: 'tracker_vacation.create',
    action: 'create',
    resource_type: 'tracker_vacation',
    resource_id: String(row.id),
    new_values: row,
  });
  return row;
}

/**
 * Takes days off back, in one statement; all streaks are recomputed.
 *
 * @throws Problem `resource.not-found` when the person has no such vacation.
 */
export async function deleteVacation(tx: Tx, userId: string, id: number): Promise<void> {
  const row = await tx.sql
    .deleteFrom('admin_tracker_vacations')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .returning(vacationColumns)
    .executeTakeFirst();
  if (row === undefined) throw notFound('vacation');
  await recomputeStreaks(tx, userId);
  tx.audit({
    event: 'tracker_vacation.delete',
    action: 'delete',
    resource_type: 'tracker_vacation',
    resource_id: String(id),
    old_values: row,
  });
}
