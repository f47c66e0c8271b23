import { WithStartWorkflowOperation } from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import { sql } from 'kysely';
import { z } from 'zod';
import { actorRef } from '../../domain/shared/actor.ts';
import { focusStates } from '../../domain/tracker/tracker-focus.ts';
import { focusColumns, presentFocus } from '../../domain/tracker/tracker-focus-session.ts';
import type { FocusSessionView } from '../../domain/tracker/tracker-focus-session.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { writeTechnical } from '../../platform/database/read.ts';
import {
  beginUpdate,
  completeUpdate,
  defaultFocusMinutes,
  defaultMaxPauseSeconds,
  focusSessionStartOptions,
  focusSessionWorkflowId,
  focusSessionWorkflowType,
  interruptUpdate,
  pauseUpdate,
  remainingQuery,
  resumeUpdate,
} from '../../workflows/tracker/focus-session.contract.ts';
import type { FocusMessage, FocusSessionInput } from '../../workflows/tracker/focus-session.contract.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { route } from '../http/route.ts';
import type { HandlerContext, Route } from '../http/route.ts';
import { moment, timestamp } from '../../platform/value-schemas.ts';
import { afterCursor, freeText, idParams, ownerOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { FocusSessionBody } from './tracker.schemas.ts';

const notes = freeText(2_000);

type Context = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'deps' | 'scope' | 'read'>;

const ownSessions = (userId: string) =>
  query.selectFrom('admin_focus_sessions').where('user_id', '=', userId).select(focusColumns);

async function findActive({ actor, deps, read }: Context): Promise<FocusSessionView | null> {
  const [row] = await read(ownSessions(ownerOf(actor)).where('end_time', 'is', null));
  return row === undefined ? null : presentFocus(row, deps.now());
}

/** @throws Problem `resource.not-found` when the caller has no such session. */
async function findOwn({ actor, deps, read }: Context, id: number): Promise<FocusSessionView> {
  const [row] = await read(ownSessions(ownerOf(actor)).where('id', '=', id));
  if (row === undefined) throw notFound('focus session');
  return presentFocus(row, deps.now());
}

/** Draws the id of a new session, which names its workflow too, and looks whether the person has one that is active. */
async function drawId({ deps, scope }: Context, userId: string): Promise<{ id: number; is_active: boolean }> {
  const [drawn] = await writeTechnical(
    deps.db,
    scope,
    query.selectNoFrom((eb) => [
      sql<number>`nextval('admin_focus_sessions_id_seq')`.as('id'),
      eb
        .exists(eb.selectFrom('admin_focus_sessions').where('user_id', '=', userId).where('end_time', 'is', null).select('id'))
        .$castTo<boolean>()
        .as('is_active'),
    ]),
  );
  if (drawn === undefined) throw new Error('The sequence of focus sessions gave no number.');
  return drawn;
}

const startFocusSession = route({
  ...trackerRoute,
  operationId: 'startFocusSession',
  method: 'post',
  path: `${trackerPath}/focus-sessions`,
  summary: 'Start a focus session with a durable timer; one active session for each person',
  body: z
    .strictObject({
      duration_minutes: z.int().min(1).max(480).default(defaultFocusMinutes),
      notes: notes.nullable().default(null),
    })
    .prefault({})
    .meta({ id: 'AdminFocusSessionCreate' }),
  responses: { 201: FocusSessionBody },
  problems: ['focus.already-active'],
  handler: async (context) => {
    const { actor, body, deps } = context;
    const user_id = ownerOf(actor);
    const { id, is_active } = await drawId(context, user_id);
    const active = is_active ? await findActive(context) : null;
    if (active !== null) throw alreadyActive(active);
    const input: FocusSessionInput = {
      actor: { ...actorRef(actor), user_id },
      session_id: id,
      duration_seconds: body.duration_minutes * 60,
      max_pause_seconds: defaultMaxPauseSeconds,
      notes: body.notes,
    };
    return deps.temporal.call((client) =>
      client.workflow.executeUpdateWithStart(beginUpdate, {
        startWorkflowOperation: new WithStartWorkflowOperation(focusSessionWorkflowType, {
          ...focusSessionStartOptions(input),
          taskQueue: deps.temporal.taskQueue,
          workflowIdConflictPolicy: 'FAIL',
        }),
      }),
    );
  },
});

function alreadyActive(active: FocusSessionView): Problem {
  return new Problem({
    code: 'focus.already-active',
    detail: 'Complete or interrupt the active session first.',
    members: { active },
  });
}

const getFocusSessions = route({
  ...trackerRoute,
  operationId: 'getFocusSessions',
  method: 'get',
  path: `${trackerPath}/focus-sessions`,
  summary: 'Own focus sessions, latest start first',
  query: z.strictObject({ ...pageQuery, from: moment.optional(), to: moment.optional() }),
  responses: { 200: pageOf(FocusSessionBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, from, to }, read, deps }) => {
    const rows = await read(
      ownSessions(ownerOf(actor))
        .where(afterCursor(cursor, 'start_time'))
        .$if(from !== undefined, (q) => q.where('start_time', '>=', from ?? ''))
        .$if(to !== undefined, (q) => q.where('start_time', '<', to ?? ''))
        .orderBy('start_time', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1),
    );
    return toPage(rows, limit, (row) => [row.start_time, String(row.id)], (row) => presentFocus(row, deps.now()));
  },
});

const getActiveFocusSession = route({
  ...trackerRoute,
  operationId: 'getActiveFocusSession',
  method: 'get',
  path: `${trackerPath}/focus-sessions/active`,
  summary: 'The active session, running or paused',
  responses: { 200: FocusSessionBody },
  problems: ['resource.not-found'],
  handler: async (context) => {
    const active = await findActive(context);
    if (active === null) throw notFound('active focus session');
    return active;
  },
});

const getFocusSession = route({
  ...trackerRoute,
  operationId: 'getFocusSession',
  method: 'get',
  path: `${trackerPath}/focus-sessions/:id`,
  summary: 'One session',
  params: idParams,
  responses: { 200: FocusSessionBody },
  handler: (context) => findOwn(context, context.params.id),
});

const getFocusRemaining = route({
  ...trackerRoute,
  operationId: 'getFocusRemaining',
  method: 'get',
  path: `${trackerPath}/focus-sessions/:id/remaining`,
  summary: 'What is left of a session, asked of its timer',
  params: idParams,
  responses: {
    200: z
      .object({
        state: z.enum(focusStates),
        remaining_seconds: z.int().min(0),
        ends_at: timestamp.nullable().describe('Null unless it runs'),
      })
      .meta({ id: 'FocusRemaining' }),
  },
  handler: async (context) => {
    const { actor, deps, params } = context;
    await findOwn(context, params.id);
    const workflowId = focusSessionWorkflowId(actor.tenant_id, params.id);
    return deps.temporal.call((client) => client.workflow.getHandle(workflowId).query(remainingQuery));
  },
});

interface Command {
  readonly verb: 'complete' | 'interrupt' | 'pause' | 'resume';
  readonly summary: string;
  readonly update: UpdateDefinition<FocusSessionView, [FocusMessage]>;
}

/** Sends the owner's word to the timer; a session that has ended answers 409, unless it ended in that very way. */
function commandRoute({ verb, summary, update }: Command): Route {
  return route({
    ...trackerRoute,
    operationId: `${verb}FocusSession`,
    method: 'put',
    path: `${trackerPath}/focus-sessions/:id/${verb}`,
    summary,
    params: idParams,
    body: z.strictObject({ notes: notes.nullable().default(null) }).prefault({}),
    responses: { 200: FocusSessionBody },
    problems: ['focus.ended'],
    handler: async (context) => {
      const { actor, body, deps, params } = context;
      const before = await findOwn(context, params.id);
      if (before.end_time !== null) return ended(before, verb);
      const handle = { id: focusSessionWorkflowId(actor.tenant_id, params.id), args: { actor: actorRef(actor), notes: body.notes } };
      try {
        return await deps.temporal.call((client) =>
          client.workflow.getHandle(handle.id).executeUpdate(update, { args: [handle.args] }),
        );
      } catch (error) {
        // The timer may have ended the session, and its workflow, since it was read.
        const now = await findOwn(context, params.id);
        if (now.end_time === null) throw error;
        return ended(now, verb);
      }
    },
  });
}

function ended(session: FocusSessionView, verb: Command['verb']): FocusSessionView {
  const repeats = (verb === 'complete' && session.completed) || (verb === 'interrupt' && session.interrupted);
  if (repeats) return session;
  throw new Problem({
    code: 'focus.ended',
    detail: 'The session has ended already.',
    members: { session },
  });
}

/** `active` stands before the pattern of an id. */
export const focusSessionRoutes = [
  startFocusSession,
  getFocusSessions,
  getActiveFocusSession,
  getFocusSession,
  getFocusRemaining,
  commandRoute({ verb: 'complete', summary: 'Complete the session now and record its actual minutes', update: completeUpdate }),
  commandRoute({ verb: 'interrupt', summary: 'Give the session up', update: interruptUpdate }),
  commandRoute({ verb: 'pause', summary: 'Stop the timer for a while', update: pauseUpdate }),
  commandRoute({ verb: 'resume', summary: 'Let the timer run on', update: resumeUpdate }),
];
