import { z } from 'zod';
import { presentFocus } from '../../domain/tracker/tracker-focus-session.ts';
import { notFound } from '../../platform/problem.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { timestampInput } from '../../platform/value-schemas.ts';
import type { FocusCommand } from '../../services/tracker/focus-session.client.ts';
import { focusSessionPageQuery } from '../../services/tracker/focus-session.queries.ts';
import {
  beginFocusSession,
  commandFocusSession,
  findActiveFocusSession,
  loadFocusRemaining,
  loadFocusSession,
} from '../../services/tracker/focus-session.service.ts';
import { route } from '../http/route.ts';
import type { Route } from '../http/route.ts';
import { FocusCommandBody, FocusRemainingBody, FocusSessionBody, FocusSessionCreate } from './focus-session.schemas.ts';
import { ownerOf, personOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { idParams } from './tracker.schemas.ts';

const start = route({
  ...trackerRoute,
  operationId: 'startFocusSession',
  method: 'post',
  path: `${trackerPath}/focus-sessions`,
  summary: 'Start a focus session with a durable timer; a user has at most one active session',
  body: FocusSessionCreate,
  responses: { 201: FocusSessionBody },
  problems: ['focus.already-active'],
  handler: ({ actor, body, deps, throughWorkflow }) =>
    throughWorkflow((command) => beginFocusSession(deps, personOf(actor), body, command)),
});

const list = route({
  ...trackerRoute,
  operationId: 'getFocusSessions',
  method: 'get',
  path: `${trackerPath}/focus-sessions`,
  summary: 'Own focus sessions, latest start first',
  query: z.strictObject({ ...pageQuery, from: timestampInput.optional(), to: timestampInput.optional() }),
  responses: { 200: pageOf(FocusSessionBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, ...startedBetween }, read, deps }) => {
    const rows = await read(focusSessionPageQuery(ownerOf(actor), { limit, cursor }, startedBetween));
    return toPage(rows, limit, (row) => [row.start_time, String(row.id)], (row) => presentFocus(row, deps.now()));
  },
});

const getActive = route({
  ...trackerRoute,
  operationId: 'getActiveFocusSession',
  method: 'get',
  path: `${trackerPath}/focus-sessions/active`,
  summary: 'The active session, running or paused',
  responses: { 200: FocusSessionBody },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps }) => {
    const active = await findActiveFocusSession(deps, personOf(actor));
    if (active === null) throw notFound('active focus session');
    return active;
  },
});

const get = route({
  ...trackerRoute,
  operationId: 'getFocusSession',
  method: 'get',
  path: `${trackerPath}/focus-sessions/:id`,
  summary: 'One session',
  params: idParams,
  responses: { 200: FocusSessionBody },
  handler: ({ actor, deps, params }) => loadFocusSession(deps, personOf(actor), params.id),
});

const getRemaining = route({
  ...trackerRoute,
  operationId: 'getFocusRemaining',
  method: 'get',
  path: `${trackerPath}/focus-sessions/:id/remaining`,
  summary: 'Remaining time of a session, from its timer',
  params: idParams,
  responses: { 200: FocusRemainingBody },
  handler: ({ actor, deps, params }) => loadFocusRemaining(deps, personOf(actor), params.id),
});

/** A route that sends a command to the timer of a session. */
function commandRoute(verb: FocusCommand, summary: string): Route {
  return route({
    ...trackerRoute,
    operationId: `${verb}FocusSession`,
    method: 'put',
    path: `${trackerPath}/focus-sessions/:id/${verb}`,
    summary,
    params: idParams,
    body: FocusCommandBody,
    responses: { 200: FocusSessionBody },
    problems: ['focus.ended'],
    handler: ({ actor, body: { notes }, deps, params: { id }, throughWorkflow }) =>
      throughWorkflow((command) => commandFocusSession(deps, personOf(actor), { id, verb, notes }, command)),
  });
}

/** `active` is matched before the pattern of an id. */
export const focusSessionRoutes = [
  start,
  list,
  getActive,
  get,
  getRemaining,
  commandRoute('complete', 'Complete the session now and record its actual minutes'),
  commandRoute('interrupt', 'Interrupt the session'),
  commandRoute('pause', 'Pause the session'),
  commandRoute('resume', 'Resume the session'),
];
