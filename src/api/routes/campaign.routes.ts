import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import { createBulkBatch } from '../../actions/assignment-batch.ts';
import { poolStatement, updateMember } from '../../actions/assignment-pool.ts';
import { createCampaign as insertCampaign, updateCampaign as saveCampaign } from '../../actions/campaign.ts';
import { campaignDelete } from '../../actions/campaign-delete.action.ts';
import { runAction } from '../../actions/run-action.ts';
import { campaignChannels, campaignStatuses } from '../../entities/campaign.entity.ts';
import { query } from '../../entities/schema.ts';
import { notFound } from '../../platform/problem.ts';
import {
  batchView,
  batchesQuery,
  campaignView,
  campaignsQuery,
  memberView,
  membersQuery,
  poolMemberView,
  queueEntryView,
} from '../assignment-views.ts';
import { readAssignments, startBatch, wakeQueues, withAssignments } from '../assignment-work.ts';
import { expectedVersion, versionEtag } from '../etag.ts';
import { pageOf, pageQuery, parseCursor, toPage } from '../pagination.ts';
import { reply, route } from '../route.ts';
import type { HandlerContext } from '../route.ts';
import { timestamp } from '../schemas.ts';

const campaignsPath = '/api/admin/campaigns';
const campaignPath = `${campaignsPath}/:campaign_id`;
const campaignParams = z.object({ campaign_id: z.uuid() });
const memberParams = z.object({ campaign_id: z.uuid(), user_id: z.uuid() });

const fields = {
  name: z.string().trim().min(1).max(200),
  description: z.string().trim().min(1).max(5000).nullable(),
  channel: z.enum(campaignChannels).nullable(),
  status: z.enum(campaignStatuses),
  starts_on: z.iso.date().nullable(),
  ends_on: z.iso.date().nullable(),
};

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

const getCampaigns = route({
  operationId: 'getCampaigns',
  method: 'get',
  path: campaignsPath,
  aliases: ['/campaigns'],
  tag: 'campaign',
  summary: 'Campaigns, newest first',
  permission: 'campaign:read',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, status: z.enum(campaignStatuses).optional() }),
  responses: { 200: pageOf(campaignView) },
  handler: async ({ query: { limit, cursor, status }, read }) => {
    const after = parseCursor(cursor);
    const rows = await read(
      campaignsQuery()
        .$if(status !== undefined, (q) => q.where('status', '=', status ?? 'active'))
        .$if(after !== null, (q) =>
          q.where(sql<boolean>`(created_at, id) < (${after?.[0]}::timestamptz, ${after?.[1]}::uuid)`),
        )
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1),
    );
    return toPage(rows, limit, (row) => [row.created_at, row.id], (row) => row);
  },
});

type Read = HandlerContext<unknown, unknown, unknown>['read'];

async function showCampaign(read: Read, id: string, status = 200, headers: Record<string, string> = {}) {
  const [row] = await read(campaignsQuery().where('id', '=', id));
  if (row === undefined) throw notFound('campaign');
  return reply(status, row, { etag: versionEtag(row.version), ...headers });
}

const getCampaign = route({
  operationId: 'getCampaign',
  method: 'get',
  path: campaignPath,
  aliases: ['/campaigns/:campaign_id'],
  tag: 'campaign',
  summary: 'One campaign',
  permission: 'campaign:read',
  gate: 'none',
  params: campaignParams,
  responses: { 200: campaignView },
  problems: ['resource.not-found'],
  handler: ({ params, read }) => showCampaign(read, params.campaign_id),
});

const createCampaign = route({
  operationId: 'createCampaign',
  method: 'post',
  path: campaignsPath,
  aliases: ['/campaigns'],
  tag: 'campaign',
  summary: 'Create a campaign',
  permission: 'campaign:manage',
  gate: 'none',
  body: z
    .strictObject({
      name: fields.name,
      description: fields.description.default(null),
      channel: fields.channel.default(null),
      status: fields.status.default('planning'),
      starts_on: fields.starts_on.default(null),
      ends_on: fields.ends_on.default(null),
    })
    .refine(({ starts_on, ends_on }) => starts_on === null || ends_on === null || starts_on <= ends_on, {
      message: 'must not be before starts_on',
      path: ['ends_on'],
    })
    .meta({ id: 'CampaignCreation' }),
  responses: { 201: campaignView },
  problems: ['resource.conflict'],
  handler: async ({ body, read, unitOfWork }) => {
    const id = await unitOfWork((tx) => insertCampaign(tx, body));
    return showCampaign(read, id, 201, { location: `${campaignsPath}/${id}` });
  },
});

const updateCampaign = route({
  operationId: 'updateCampaign',
  method: 'put',
  path: campaignPath,
  tag: 'campaign',
  summary: 'Change a campaign; what is left out stays',
  permission: 'campaign:manage',
  gate: 'none',
  requiresIfMatch: true,
  params: campaignParams,
  body: z
    .strictObject({
      name: fields.name.optional(),
      description: fields.description.optional(),
      channel: fields.channel.optional(),
      status: fields.status.optional(),
      starts_on: fields.starts_on.optional(),
      ends_on: fields.ends_on.optional(),
    })
    .meta({ id: 'CampaignUpdate' }),
  responses: { 200: campaignView },
  problems: ['resource.not-found', 'resource.conflict', 'resource.version-mismatch', 'request.invalid'],
  handler: async ({ actor, params, body, deps, request, read, unitOfWork }) => {
    const version = expectedVersion(request.ifMatch);
    await unitOfWork((tx) => saveCampaign(tx, params.campaign_id, version, body));
    if (body.status === 'active') await wakeQueues(deps, actor, [params.campaign_id]);
    return showCampaign(read, params.campaign_id);
  },
});

const deleteCampaign = route({
  operationId: 'deleteCampaign',
  method: 'delete',
  path: campaignPath,
  tag: 'campaign',
  summary: 'Delete a campaign; contacts stay with their owners',
  permission: 'campaign:manage',
  gate: {
    action: campaignDelete.name,
    payload: ({ params }, { ifMatch }) => ({ campaign_id: params.campaign_id, version: expectedVersion(ifMatch) }),
  },
  requiresIfMatch: true,
  params: campaignParams,
  responses: { 204: null },
  problems: ['resource.not-found', 'resource.version-mismatch'],
  handler: async ({ params, request, gate, unitOfWork }) => {
    const version = expectedVersion(request.ifMatch);
    const change = campaignDelete.prepare({ campaign_id: params.campaign_id, version });
    await unitOfWork((tx) => runAction(tx, change, { kind: gate === 'none' ? 'none' : 'mfa' }));
    return reply(204);
  },
});

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
    const after = parseCursor(cursor);
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

export const campaignRoutes = [
  getCampaigns,
  getCampaign,
  createCampaign,
  updateCampaign,
  deleteCampaign,
  getCampaignPool,
  updateCampaignMember,
  getCampaignQueue,
  autoAssign,
];
