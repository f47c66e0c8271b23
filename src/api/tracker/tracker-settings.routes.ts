import { sql } from 'kysely';
import { z } from 'zod';
import { recomputeStreaks } from '../../services/tracker/activity.service.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { timestamp } from '../../platform/value-schemas.ts';
import { afterCursor, changeRoutes, day, idParams, ownerOf, rowId, trackerPath, trackerRoute } from './tracker-route-defaults.ts';

const weekday = z.int().min(1).max(7).describe('ISO weekday, Monday is 1');
const minuteOfDay = z.int().min(0).max(1439).describe('Minutes since local midnight');

const SettingsBody = z
  .object({
    rest_weekdays: z.array(weekday),
    quiet_from_minute: minuteOfDay,
    quiet_to_minute: minuteOfDay,
    daily_nudge_cap: z.int().min(0).max(50),
  })
  .meta({ id: 'TrackerSettings' });

const settingsColumns = ['rest_weekdays', 'quiet_from_minute', 'quiet_to_minute', 'daily_nudge_cap'] as const;
const defaultSettings = { rest_weekdays: [], quiet_from_minute: 1320, quiet_to_minute: 420, daily_nudge_cap: 5 };

const getTrackerSettings = route({
  ...trackerRoute,
  operationId: 'getTrackerSettings',
  method: 'get',
  path: `${trackerPath}/settings`,
  summary: 'Rest days, quiet hours and the daily cap of nudges',
  responses: { 200: SettingsBody },
  handler: async ({ actor, read }) => {
    const [row] = await read(
      query.selectFrom('admin_tracker_settings').where('user_id', '=', ownerOf(actor)).select(settingsColumns),
    );
    return row ?? defaultSettings;
  },
});

const updateTrackerSettings = changeRoutes({
  ...trackerRoute,
  operationId: 'updateTrackerSettings',
  path: `${trackerPath}/settings`,
  summary: 'Change settings; what is left out stays. Other rest days change the streaks in the same transaction',
  body: z
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
    .meta({ id: 'TrackerSettingsUpdate' }),
  responses: { 200: SettingsBody },
  handler: ({ actor, body, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const user_id = ownerOf(actor);
      const { rest_weekdays, ...rest } = body;
      const changes = {
        ...rest,
        ...(rest_weekdays === undefined ? {} : { rest_weekdays: sql<number[]>`${rest_weekdays}::smallint[]` }),
      };
      const row = await tx.sql
        .insertInto('admin_tracker_settings')
        .values({ ...changes, user_id, tenant_id: actor.tenant_id })
        .onConflict((conflict) =>
          conflict.columns(['tenant_id', 'user_id']).doUpdateSet({ ...changes, updated_at: sql<string>`now()` }),
        )
        .returning(settingsColumns)
        .executeTakeFirstOrThrow();
      if (rest_weekdays !== undefined) await recomputeStreaks(tx, user_id);
      tx.audit({
        event: 'tracker_settings.update',
        action: 'update',
        resource_type: 'tracker_settings',
        resource_id: user_id,
        new_values: body,
      });
      return row;
    }),
});

const VacationBody = z
  .object({ id: rowId, user_id: z.uuid(), starts_on: day, ends_on: day, created_at: timestamp })
  .meta({ id: 'TrackerVacation' });
const vacationColumns = ['id', 'user_id', 'starts_on', 'ends_on', 'created_at'] as const;
const maxVacationMs = 365 * 86_400_000;

const createVacation = route({
  ...trackerRoute,
  operationId: 'createTrackerVacation',
  method: 'post',
  path: `${trackerPath}/vacations`,
  summary: 'Take days off, also in the past; they freeze the streak',
  body: z
    .strictObject({ starts_on: day, ends_on: day })
    .refine(({ starts_on, ends_on }) => starts_on <= ends_on, { path: ['ends_on'], message: 'must not be before starts_on' })
    .refine(({ starts_on, ends_on }) => Date.parse(ends_on) - Date.parse(starts_on) <= maxVacationMs, {
      path: ['ends_on'],
      message: 'must be within a year of starts_on',
    }),
  responses: { 201: VacationBody },
  handler: ({ actor, body, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const user_id = ownerOf(actor);
      const row = await tx.sql
        .insertInto('admin_tracker_vacations')
        .values({ ...body, user_id, tenant_id: actor.tenant_id })
        .returning(vacationColumns)
        .executeTakeFirstOrThrow();
      await recomputeStreaks(tx, user_id);
      tx.audit({
        event: 'tracker_vacation.create',
        action: 'create',
        resource_type: 'tracker_vacation',
        resource_id: String(row.id),
        new_values: row,
      });
      return row;
    }),
});

const getVacations = route({
  ...trackerRoute,
  operationId: 'getTrackerVacations',
  method: 'get',
  path: `${trackerPath}/vacations`,
  summary: 'Own days off, latest first',
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(VacationBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor }, read }) => {
    const rows = await read(
      query
        .selectFrom('admin_tracker_vacations')
        .where('user_id', '=', ownerOf(actor))
        .where(afterCursor(cursor, 'starts_on'))
        .orderBy('starts_on', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .select(vacationColumns),
    );
    return toPage(rows, limit, (row) => [row.starts_on, String(row.id)], (row) => row);
  },
});

const deleteVacation = route({
  ...trackerRoute,
  operationId: 'deleteTrackerVacation',
  method: 'delete',
  path: `${trackerPath}/vacations/:id`,
  summary: 'Take days off back; the streaks follow',
  params: idParams,
  responses: { 204: null },
  handler: ({ actor, params, unitOfWork }) =>
    unitOfWork(async (tx) => {
      const user_id = ownerOf(actor);
      const row = await tx.sql
        .deleteFrom('admin_tracker_vacations')
        .where('id', '=', params.id)
        .where('user_id', '=', user_id)
        .returning(vacationColumns)
        .executeTakeFirst();
      if (row === undefined) throw notFound('vacation');
      await recomputeStreaks(tx, user_id);
      tx.audit({
        event: 'tracker_vacation.delete',
        action: 'delete',
        resource_type: 'tracker_vacation',
        resource_id: String(row.id),
        old_values: row,
      });
      return reply(204);
    }),
});

export const trackerSettingsRoutes = [
  getTrackerSettings,
  ...updateTrackerSettings,
  createVacation,
  getVacations,
  deleteVacation,
];
