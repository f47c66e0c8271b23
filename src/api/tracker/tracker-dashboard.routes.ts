import { loadTrackerDashboard } from '../../services/tracker/tracker-dashboard.queries.ts';
import { route } from '../http/route.ts';
import { TrackerDashboardBody } from './tracker-dashboard.schemas.ts';
import { personOf, trackerRoute } from './tracker-route-defaults.ts';

/** The dashboard (S0-81). Monitoring uses the first path (S0-50); the alias has the prefix of all other routes. */
const getDashboard = route({
  ...trackerRoute,
  operationId: 'getTrackerDashboard',
  method: 'get',
  path: '/api/master-admin/dashboard',
  aliases: ['/api/v1/master-admin/dashboard'],
  summary: 'Today at a glance: score, streak, progress of the week, focus session, nudges and meetings',
  responses: { 200: TrackerDashboardBody },
  handler: ({ actor, deps }) => loadTrackerDashboard(deps, personOf(actor)),
});

export const trackerDashboardRoutes = [getDashboard];
