import { sql } from 'kysely';
import { z } from 'zod';
import { assertBatchRunning } from '../../services/assignment/assignment-batch.service.ts';
import { poolStatement } from '../../services/assignment/campaign-pool.service.ts';
import { assignRound } from '../../domain/assignment/auto-assign.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { assignmentBatchWorkflowId, cancelBatchSignal } from '../../workflows/assignment/assignment-batch.contract.ts';
import { batchItemView, batchView, batchesQuery } from './assignment.schemas.ts';
import { readAssignments, startHandOver } from '../../services/assignment/assignment.client.ts';
import { newestFirst, newestPage, numberPosition, pageOf, pageQuery, parseCursor, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';

const batchesPath = '/api/admin/assignment-batches';
const batchPath = `${batchesPath}/:batch_id`;
const batchParams = z.object({ batch_id: z.uuid() });
const userParams = z.object({ user_id: z.uuid() });

type Read = HandlerContext<unknown, unknown, unknown>['read'];

async function showBatch(read: Read, id: string) {
  const [batch] = await read(batchesQuery().where('b.id', '=', id));
  if (batch === undefined) throw notFound('assignment batch');
  return batch;
}

const getAssignmentBatches = route({
  operationId: 'getAssignmentBatches',
  method: 'get',
  path: batchesPath,
  tag: 'assignment',
  summary: 'Batches of dealing and handing over, newest first',
  permission: 'assignment:read',
  gate: 'none',
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(batchView) },
  handler: async ({ query: { limit, cursor }, read }) => {
    const rows = await read(
      batchesQuery()
        .$call(newestFirst({ limit, cursor }, { time: 'b.created_at', id: 'b.id' })),
    );
    return newestPage(rows, limit);
  },
});

const getAssignmentBatch = route({
  operationId: 'getAssignmentBatch',
  method: 'get',
  path: batchPath,
  tag: 'assignment',
  summary: 'How far a batch is',
  permission: 'assignment:read',
  gate: 'none',
  params: batchParams,
  responses: { 200: batchView },
  problems: ['resource.not-found'],
  handler: ({ params, read }) => showBatch(read, params.batch_id),
});

const getAssignmentBatchItems = route({
  operationId: 'getAssignmentBatchItems',
  method: 'get',
  path: `${batchPath}/items`,
  tag: 'assignment',
  summary: 'What became of each contact of a batch, in order',
  permission: 'assignment:read',
  gate: 'none',
  params: batchParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(batchItemView) },
  problems: ['resource.not-found'],
  handler: async ({ params, query: { limit, cursor }, read }) => {
    await showBatch(read, params.batch_id);
    const after = parseCursor(cursor, numberPosition);
    const rows = await read(
      query
        .selectFrom('assignment_batch_items')
        .where('batch_id', '=', params.batch_id)
        .$if(after !== null, (q) => q.where(sql<boolean>`position > ${after?.[0]}::bigint`))
        .orderBy('position')
        .limit(limit + 1)
        .select(['contact_id', 'position', 'campaign_id', 'outcome', 'detail as reason', 'user_id', 'settled_at']),
    );
    return toPage(rows, limit, (row) => [String(row.position), row.contact_id], (row) => row);
  },
});

const cancelAssignmentBatch = route({
  operationId: 'cancelAssignmentBatch',
  method: 'post',
  path: `${batchPath}/cancel`,
  tag: 'assignment',
  summary: 'End a batch early; what it has done stays',
  permission: 'assignment:manage',
  gate: 'none',
  params: batchParams,
  responses: { 202: batchView },
  problems: ['resource.not-found', 'assignment.batch-finished', 'service.unavailable'],
  handler: async ({ actor, deps, params: { batch_id }, read, unitOfWork }) => {
    await unitOfWork((tx) => assertBatchRunning(tx, batch_id));
    const id = assignmentBatchWorkflowId(actor.tenant_id, batch_id);
    await deps.temporal.call((client) => client.workflow.getHandle(id).signal(cancelBatchSignal));
    return showBatch(read, batch_id);
  },
});

const previewView = z
  .object({
    user_id: z.uuid(),
    to_user_id: z.uuid().nullable(),
    total: z.number().int(),
    campaigns: z.array(
      z.object({
        campaign_id: z.uuid().nullable(),
        contacts: z.number().int().describe('How many contacts'),
        would_get: z.array(z.object({ user_id: z.uuid(), contacts: z.number().int().describe('How many of them') })),
        would_wait: z.number().int().describe('Contacts for which nobody has a free place'),
      }),
    ),
  })
  .meta({ id: 'HandOverPreview' });

const previewHandOver = route({
  operationId: 'previewHandOver',
  method: 'get',
  path: '/api/admin/users/:user_id/hand-over',
  tag: 'assignment',
  summary: 'Who would get the contacts of a person; changes nothing',
  permission: 'assignment:read',
  gate: 'none',
  params: userParams,
  query: z.strictObject({ to_user_id: z.uuid().optional().describe('Without it: the pools of the campaigns') }),
  responses: { 200: previewView },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { user_id }, query: { to_user_id = null }, read }) => {
    const [user] = await read(query.selectFrom('users').where('id', '=', user_id).select('id'));
    if (user === undefined) throw notFound('user');
    const open = await readAssignments(
      deps,
      actor,
      query
        .selectFrom('user_contact_assignment as a')
        .where('a.user_id', '=', user_id)
        .where('a.released_at', 'is', null)
        .groupBy('a.campaign_id')
        .orderBy('a.campaign_id')
        .select(['a.campaign_id', sql<number>`count(*)`.as('contacts')])
        .select(
          sql<number>`(select count(*) from assignment_queue q
            where q.campaign_id = a.campaign_id and q.left_at is null)`.as('waiting'),
        ),
    );
    const campaigns = [];
    for (const { campaign_id, contacts, waiting } of open) {
      const receivers =
        to_user_id === null
          ? await simulate(campaign_id, contacts, waiting)
          : Array.from({ length: contacts }, () => to_user_id);
      const counts = Map.groupBy(receivers, (receiver) => receiver);
      campaigns.push({
        campaign_id,
        contacts,
        would_get: [...counts].flatMap(([id, got]) => (id === null ? [] : [{ user_id: id, contacts: got.length }])),
        would_wait: counts.get(null)?.length ?? 0,
      });
    }
    return { user_id, to_user_id, total: campaigns.reduce((sum, { contacts }) => sum + contacts, 0), campaigns };

    /** Who would get them by the rule, behind those that wait already. */
    async function simulate(campaignId: string | null, contacts: number, waiting: number): Promise<(string | null)[]> {
      if (campaignId === null) return Array.from({ length: contacts }, () => null);
      const statement = poolStatement(campaignId, user_id);
      const pool = await readAssignments(deps, actor, { compile: () => statement.compile(query) });
      const items = Array.from({ length: waiting + contacts }, () => ({ contact_id: '', preferred_user_id: null }));
      return assignRound(pool, items).deals.slice(waiting).map(({ reason }) => reason.chosen_user_id);
    }
  },
});

const handOver = route({
  operationId: 'handOverContacts',
  method: 'post',
  path: '/api/admin/users/:user_id/hand-over',
  tag: 'assignment',
  summary: 'Hand over all contacts of a person; by itself when an account is closed',
  description:
    'Runs as a workflow; the answer is the batch, or null when there is nothing to hand over. Without to_user_id each ' +
    'contact is dealt to the pool of its campaign, or waits.',
  permission: 'assignment:manage',
  gate: 'none',
  params: userParams,
  body: z.strictObject({ to_user_id: z.uuid().nullable().default(null) }).meta({ id: 'HandOver' }),
  responses: { 202: z.object({ batch: batchView.nullable() }) },
  problems: ['resource.not-found', 'assignment.user-inactive', 'service.unavailable'],
  handler: async ({ actor, body, deps, params: { user_id }, read }) => {
    const [user] = await read(query.selectFrom('users').where('id', '=', user_id).select('id'));
    if (user === undefined) throw notFound('user');
    const batch_id = await startHandOver(deps, actor, user_id, body.to_user_id);
    if (batch_id === null) return { batch: null };
    return reply(202, { batch: await showBatch(read, batch_id) }, { location: `${batchesPath}/${batch_id}` });
  },
});

export const assignmentBatchRoutes = [
  getAssignmentBatches,
  getAssignmentBatch,
  getAssignmentBatchItems,
  cancelAssignmentBatch,
  previewHandOver,
  handOver,
];
