import { z } from 'zod';
import { nudgePriorities, nudgeTypes } from '../../domain/tracker/tracker-nudge-rules.ts';
import { notFound } from '../../platform/problem.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { runNudgeRound } from '../../services/tracker/nudge-round.client.ts';
import { nudgePageQuery, nudgesQuery } from '../../services/tracker/nudge.queries.ts';
import { deleteNudge, updateNudge } from '../../services/tracker/nudge.service.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadSource } from '../../platform/database/read.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { NudgeBody, NudgeSnooze } from './nudge.schemas.ts';
import { ownerOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { idParams, queryFlag } from './tracker.schemas.ts';

type Context = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'read'>;

async function loadNudge({ actor }: Context, db: ReadSource, id: number) {
  const [row] = await read(db, actor, nudgesQuery(ownerOf(actor)).where('id', '=', id));
  if (row === undefined) throw notFound('nudge');
  return row;
}

const list = route({
  ...trackerRoute,
  operationId: 'getNudges',
  method: 'get',
  path: `${trackerPath}/nudges`,
  summary: 'Own nudges, newest first; expired and snoozed ones are hidden',
  query: z.strictObject({
    ...pageQuery,
    read: queryFlag.optional(),
    type: z.enum(nudgeTypes).optional(),
    priority: z.enum(nudgePriorities).optional(),
  }),
  responses: { 200: pageOf(NudgeBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, ...filter }, read, deps }) => {
    const rows = await read(nudgePageQuery(ownerOf(actor), { limit, cursor }, filter, deps.now()));
    return toPage(rows, limit, (row) => [row.created_at, String(row.id)], (row) => row);
  },
});

const generate = route({
  ...trackerRoute,
  operationId: 'generateNudges',
  method: 'post',
  path: `${trackerPath}/nudges/generate`,
  summary: 'Evaluate the nudge rules now; existing nudges are not repeated',
  responses: { 200: z.object({ items: z.array(NudgeBody) }) },
  handler: async ({ actor, deps, read, throughWorkflow }) => {
    const user_id = ownerOf(actor);
    const ids = await throughWorkflow((command) => runNudgeRound(deps, { tenant_id: actor.tenant_id, user_id }, command));
    return { items: ids.length === 0 ? [] : await read(nudgesQuery(user_id).where('id', 'in', ids).orderBy('id')) };
  },
});

const markAsRead = route({
  ...trackerRoute,
  operationId: 'readNudge',
  method: 'put',
  path: `${trackerPath}/nudges/:id/read`,
  summary: 'Mark a nudge as read',
  params: idParams,
  responses: { 200: NudgeBody },
  handler: async (context) => {
    const { actor, params, change } = context;
    return change(async (tx) => {
      await updateNudge(tx, ownerOf(actor), params.id, { read: true });
      return loadNudge(context, tx, params.id);
    });
  },
});

const snooze = route({
  ...trackerRoute,
  operationId: 'snoozeNudge',
  method: 'put',
  path: `${trackerPath}/nudges/:id/snooze`,
  summary: 'Hide a nudge for a while; 0 minutes shows it again',
  params: idParams,
  body: NudgeSnooze,
  responses: { 200: NudgeBody },
  handler: async (context) => {
    const { actor, params, body, deps, change } = context;
    const snoozed_until = body.minutes === 0 ? null : new Date(deps.now() + body.minutes * 60_000).toISOString();
    return change(async (tx) => {
      await updateNudge(tx, ownerOf(actor), params.id, { snoozed_until });
      return loadNudge(context, tx, params.id);
    });
  },
});

const remove = route({
  ...trackerRoute,
  operationId: 'deleteNudge',
  method: 'delete',
  path: `${trackerPath}/nudges/:id`,
  summary: 'Remove a nudge; it is not generated again',
  params: idParams,
  responses: { 204: null },
  handler: ({ actor, params, change }) =>
    change(async (tx) => {
      await deleteNudge(tx, ownerOf(actor), params.id);
      return reply(204);
    }),
});

export const nudgeRoutes = [list, generate, markAsRead, snooze, remove];
