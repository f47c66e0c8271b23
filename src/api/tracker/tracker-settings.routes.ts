import { z } from 'zod';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import {
  defaultTrackerSettings,
  trackerSettingsQuery,
  vacationPageQuery,
} from '../../services/tracker/tracker-settings.queries.ts';
import {
  createVacation,
  deleteVacation,
  updateTrackerSettings,
} from '../../services/tracker/tracker-settings.service.ts';
import { reply, route } from '../http/route.ts';
import { changeRoutes, ownerOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { TrackerSettingsBody, TrackerSettingsUpdate, VacationBody, VacationCreate } from './tracker-settings.schemas.ts';
import { idParams } from './tracker.schemas.ts';

const getSettings = route({
  ...trackerRoute,
  operationId: 'getTrackerSettings',
  method: 'get',
  path: `${trackerPath}/settings`,
  summary: 'Rest days, quiet hours and the daily cap of nudges',
  responses: { 200: TrackerSettingsBody },
  handler: async ({ actor, read }) => {
    const [row] = await read(trackerSettingsQuery(ownerOf(actor)));
    return row ?? defaultTrackerSettings;
  },
});

const updateSettings = changeRoutes({
  ...trackerRoute,
  operationId: 'updateTrackerSettings',
  path: `${trackerPath}/settings`,
  summary: 'Change settings; omitted fields are unchanged. New rest days update the streaks in the same transaction',
  body: TrackerSettingsUpdate,
  responses: { 200: TrackerSettingsBody },
  handler: ({ actor, body, change }) => change((tx) => updateTrackerSettings(tx, ownerOf(actor), body)),
});

const takeVacation = route({
  ...trackerRoute,
  operationId: 'createTrackerVacation',
  method: 'post',
  path: `${trackerPath}/vacations`,
  summary: 'Add days off, also in the past; they freeze the streak',
  body: VacationCreate,
  responses: { 201: VacationBody },
  handler: ({ actor, body, change }) => change((tx) => createVacation(tx, ownerOf(actor), body)),
});

const listVacations = route({
  ...trackerRoute,
  operationId: 'getTrackerVacations',
  method: 'get',
  path: `${trackerPath}/vacations`,
  summary: 'Own days off, latest first',
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(VacationBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: page, read }) => {
    const rows = await read(vacationPageQuery(ownerOf(actor), page));
    return toPage(rows, page.limit, (row) => [row.starts_on, String(row.id)], (row) => row);
  },
});

const removeVacation = route({
  ...trackerRoute,
  operationId: 'deleteTrackerVacation',
  method: 'delete',
  path: `${trackerPath}/vacations/:id`,
  summary: 'Remove days off; the streaks are updated',
  params: idParams,
  responses: { 204: null },
  handler: ({ actor, params, change }) =>
    change(async (tx) => {
      await deleteVacation(tx, ownerOf(actor), params.id);
      return reply(204);
    }),
});

export const trackerSettingsRoutes = [
  getSettings,
  ...updateSettings,
  takeVacation,
  listVacations,
  removeVacation,
];
