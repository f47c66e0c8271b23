import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import { createBulkBatch } from '../../services/assignment/assignment-batch.service.ts';
import { poolStatement, updateMember } from '../../services/assignment/campaign-pool.service.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { batchView, batchesQuery, memberView, membersQuery, poolMemberView, queueEntryView } from './assignment.schemas.ts';
import { readAssignments, startBatch, wakeQueues, withAssignments } from '../../services/assignment/assignment.client.ts';
import { campaignParams, campaignPath, showCampaign } from './campaign.schemas.ts';
import { numberPosition, pageOf, pageQuery, parseCursor, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { timestamp } from '../../platform/value-schemas.ts';

const memberParams = z.object({ campaign_id: z.uuid(), user_id: z.uuid() });

/** What may be written of a member's place in a pool, each part by itself. */
export const memberSettings = {
  can_view: z.boolean(),
  can_edit: z.boolean(),
  can_send: z.boolean(),
  can_manage: z.boolean(),
  weight: z.int().min(1).max(10_000).describe('Relative share of what is dealt'),
  max_open_contacts: z.int().min(0).max(1_000_000).nullable().describe('Null: no limit'),
  auto_assign: z.boolean().describe('False: contacts come by hand only'),
  paused_until: timestamp.nullable().describe('Away until then'),
};

const getCampaignPool = route({
  operationId: 'getCampaignPool',
  method: 'get',
  path: `${campaignPath}/pool`,
  tag: 'assignment',
  summary: 'Who takes part in dealing, with shares, and why somebody gets nothing now',
  permission: 'assignment:read',
  gate: 'none',
  params: campaignParams,
  responses: { 200: z.object({ items: z.array(poolMemberView) }) },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params, read }) => {
    await showCampaign(read, params.campaign_id);
    const statement = poolStatement(params.campaign_id, null);
    return { items: await readAssignments(deps, actor, { compile: () => statement.compile(query) }) };
  },
});

const updateCampaignMember = route({
  operationId: 'updateCampaignMember',
  method: 'put',
  path: `${campaignPath}/members/:user_id`,
  tag: 'assignment',
  summary: 'Change permissions, weight, capacity or absence of a member; what is left out stays',
  permission: 'assignment:manage',
  gate: 'none',
  params: memberParams,
  body: z
    .strictObject(memberSettings)
    .partial()
    .refine((body) => Object.keys(body).length > 0, { message: 'Change something.' })
    .meta({ id: 'CampaignMemberUpdate' }),
  responses: { 200: memberView },
  problems: ['resource.not-found'],
  handler: async ({ actor, body, deps, params: { campaign_id, user_id }, unitOfWork }) => {
    await unitOfWork(withAssignments((tx) => updateMember(tx, campaign_id, user_id, body)));
    await wakeQueues(deps, actor, [campaign_id]);
    const [member] = await readAssignments(
      deps,
      actor,
      membersQuery().where('p.campaign_id', '=', campaign_id).where('p.user_id', '=', user_id),
    );
    if (member === undefined) throw notFound('assignment');
    return member;
  },
});

const getCampaignQueue = route({
  operationId: 'getCampaignQueue',
  method: 'get',
  path: `${campaignPath}/queue`,
  tag: 'assignment',
  summary: 'Contacts that wait for somebody with a place, the next one first',
  permission: 'assignment:read',
  gate: 'none',
  params: campaignParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(queueEntryView) },
  problems: ['resource.not-found'],
  handler: async ({ params, query: { limit, cursor }, read }) => {
    await showCampaign(read, params.campaign_id);
    const after = parseCursor(cursor, numberPosition);
    const rows = await read(
      query
        .selectFrom('assignment_queue')
        .where('campaign_id', '=', params.campaign_id)
        .where('left_at', 'is', null)
        .$if(after !== null, (q) => q.where(sql<boolean>`position > ${after?.[0]}::bigint`))
        .orderBy('position')
        .limit(limit + 1)
        .select(['id', 'contact_id', 'campaign_id', 'position', 'reason', 'requested_by', 'created_at']),
    );
    return toPage(rows, limit, (row) => [String(row.position), row.id], (row) => row);
  },
});

const autoAssign = route({
  operationId: 'autoAssignContacts',
  method: 'post',
  path: `${campaignPath}/auto-assign`,
  tag: 'assignment',
  summary: 'Deal contacts to the pool of a campaign',
  description:
    'Runs as a workflow; the answer is the batch, where its progress can be followed. Without contact_ids all contacts ' +
    'that nobody looks after are dealt, oldest first, up to 10,000.',
  permission: 'assignment:manage',
  gate: 'none',
  params: campaignParams,
  body: z
    .strictObject({
      contact_ids: z
        .array(z.uuid())
        .min(1)
        .max(5000)
        .refine((ids) => new Set(ids).size === ids.length, 'must name each contact once')
        .nullable()
        .default(null),
      source: z.string().trim().min(1).max(100).nullable().default(null).describe('Only contacts from there'),
      on_conflict: z.enum(['skip', 'reassign']).default('skip').describe('For contacts that somebody looks after already'),
      keep_owner: z.boolean().default(false).describe('Each contact to its last owner again where possible'),
    })
    .meta({ id: 'AutoAssignment' }),
  responses: { 202: batchView },
  problems: ['resource.not-found', 'service.unavailable'],
  handler: async ({ actor, body, deps, params: { campaign_id }, read, unitOfWork }) => {
    const batch_id = randomUUID();
    const total = await unitOfWork(withAssignments((tx) => createBulkBatch(tx, { batch_id, campaign_id, ...body })));
    await startBatch(deps, actor, { batch_id, kind: 'bulk', total });
    const [batch] = await read(batchesQuery().where('b.id', '=', batch_id));
    return reply(202, batch, { location: `/api/admin/assignment-batches/${batch_id}` });
  },
});

/** Who takes part in a campaign, what waits in it, and dealing. */
export const campaignPoolRoutes = [getCampaignPool, updateCampaignMember, getCampaignQueue, autoAssign];
