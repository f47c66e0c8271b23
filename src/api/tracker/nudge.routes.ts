import { z } from 'zod';
import { changeNudge, removeNudge } from '../../services/tracker/nudge.service.ts';
import { nudgePriorities, nudgeTypes } from '../../domain/tracker/tracker-nudge-rules.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { nudgePersonStartOptions, nudgeRoundWorkflowType } from '../../workflows/tracker/nudge-round.contract.ts';
import type { NudgeRoundResult } from '../../workflows/tracker/nudge-round.contract.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { nudgeColumns, visibleNudges } from '../../services/tracker/nudge.queries.ts';
import { afterCursor, idParams, ownerOf, trackerPath, trackerRoute } from './tracker.route.ts';
import { NudgeBody } from './tracker.schemas.ts';

const maxSnoozeMinutes = 7 * 24 * 60;

type Context = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'read'>;

async function show({ actor, read }: Context, id: number) {
  const [row] = await read(
    query.selectFrom('admin_nudges').where('id', '=', id).where('user_id', '=', ownerOf(actor)).select(nudgeColumns),
  );
  if (row === undefined) throw notFound('nudge');
  return row;
}

const getNudges = route({
  ...trackerRoute,
  operationId: 'getNudges',
  method: 'get',
  path: `${trackerPath}/nudges`,
  summary: 'Own nudges, newest first; expired and snoozed ones are hidden',
  query: z.strictObject({
    ...pageQuery,
    read: z
      .enum(['true', 'false'])
      .transform((text) => text === 'true')
      .optional(),
    type: z.enum(nudgeTypes).optional(),
    priority: z.enum(nudgePriorities).optional(),
  }),
  responses: { 200: pageOf(NudgeBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, query: { limit, cursor, ...filter }, read, deps }) => {
    let found = visibleNudges(ownerOf(actor), deps.now())
      .where(afterCursor(cursor, 'created_at'))
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .select(nudgeColumns);
    if (filter.read !== undefined) found = found.where('read', '=', filter.read);
    if (filter.type !== undefined) found = found.where('type', '=', filter.type);
    if (filter.priority !== undefined) found = found.where('priority', '=', filter.priority);
    return toPage(await read(found), limit, (row) => [row.created_at, String(row.id)], (row) => row);
  },
});

const generateNudges = route({
  ...trackerRoute,
  operationId: 'generateNudges',
  method: 'post',
  path: `${trackerPath}/nudges/generate`,
  summary: 'Let the rules speak now; what was said before is not said again',
  responses: { 200: z.object({ items: z.array(NudgeBody) }) },
  handler: async ({ actor, deps, read }) => {
    const userId = ownerOf(actor);
    const { nudge_ids } = await deps.temporal.call(
      (client) =>
        client.workflow.execute(nudgeRoundWorkflowType, {
          ...nudgePersonStartOptions(actor.tenant_id, userId),
          taskQueue: deps.temporal.taskQueue,
          workflowIdConflictPolicy: 'USE_EXISTING',
        }) as Promise<NudgeRoundResult>,
    );
    if (nudge_ids.length === 0) return { items: [] };
    const items = await read(
      query
        .selectFrom('admin_nudges')
        .where('user_id', '=', userId)
        .where('id', 'in', nudge_ids)
        .orderBy('id')
        .select(nudgeColumns),
    );
    return { items };
  },
});

const readNudge = route({
  ...trackerRoute,
  operationId: 'readNudge',
  method: 'put',
  path: `${trackerPath}/nudges/:id/read`,
  summary: 'Mark a nudge as read',
  params: idParams,
  responses: { 200: NudgeBody },
  handler: async (context) => {
    const { actor, params, unitOfWork } = context;
    await unitOfWork((tx) => changeNudge(tx, ownerOf(actor), params.id, { read: true }));
    return show(context, params.id);
  },
});

const snoozeNudge = route({
  ...trackerRoute,
  operationId: 'snoozeNudge',
  method: 'put',
  path: `${trackerPath}/nudges/:id/snooze`,
  summary: 'Hide a nudge for a while; 0 minutes shows it again',
  params: idParams,
  body: z.strictObject({ minutes: z.int().min(0).max(maxSnoozeMinutes).describe('How long it stays away') }),
  responses: { 200: NudgeBody },
  handler: async (context) => {
    const { actor, params, body, deps, unitOfWork } = context;
    const snoozed_until = body.minutes === 0 ? null : new Date(deps.now() + body.minutes * 60_000).toISOString();
    await unitOfWork((tx) => changeNudge(tx, ownerOf(actor), params.id, { snoozed_until }));
    return show(context, params.id);
  },
});

const deleteNudge = route({
  ...trackerRoute,
  operationId: 'deleteNudge',
  method: 'delete',
  path: `${trackerPath}/nudges/:id`,
  summary: 'Remove a nudge; it does not come back',
  params: idParams,
  responses: { 204: null },
  handler: async ({ actor, params, unitOfWork }) => {
    await unitOfWork((tx) => removeNudge(tx, ownerOf(actor), params.id));
    return reply(204);
  },
});

export const nudgeRoutes = [getNudges, generateNudges, readNudge, snoozeNudge, deleteNudge];
