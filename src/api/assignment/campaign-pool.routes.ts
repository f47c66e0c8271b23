import { z } from 'zod';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { readAssignments, openAssignments } from '../../services/assignment/assignment-access.service.ts';
import { startBulkAssignment } from '../../services/assignment/assignment-batch-start.service.ts';
import { loadBatch } from '../../services/assignment/assignment-batch.queries.ts';
import { queueList } from '../../services/assignment/assignment-queue.queries.ts';
import { tellAfterCommit } from '../../services/commands/workflow-start.service.ts';
import { updateMember } from '../../services/assignment/campaign/campaign-pool.service.ts';
import { loadMember, poolQuery, loadCampaign } from '../../services/assignment/campaign/campaign.queries.ts';
import { assertAccess } from '../../services/assignment/resource-access.service.ts';
import { reply, route } from '../http/route.ts';
import { batchView } from './assignment-batch.schemas.ts';
import { bulkAssignment, memberUpdate, memberView, poolMemberView, queueEntryView } from './campaign-pool.schemas.ts';
import { uuid } from '../../platform/value-schemas.ts';

const campaignPath = '/api/admin/campaigns/:campaign_id';
const campaignParams = z.object({ campaign_id: uuid });
const memberParams = z.object({ campaign_id: uuid, user_id: uuid });

const getCampaignPool = route({
  operationId: 'getCampaignPool',
  method: 'get',
  path: `${campaignPath}/pool`,
  tag: 'assignment',
  summary: 'Members of the pool with their shares, and why a member is not assigned contacts now',
  permission: 'assignment:read',
  isJudgedByResource: true,
  gate: 'none',
  params: campaignParams,
  responses: { 200: z.object({ items: z.array(poolMemberView) }) },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { campaign_id } }) => {
    await assertAccess(deps.db, actor, 'assignment:read', { type: 'campaign', id: campaign_id });
    await loadCampaign(deps, actor, campaign_id);
    return { items: await readAssignments(deps, actor, poolQuery(campaign_id)) };
  },
});

const updateCampaignMember = route({
  operationId: 'updateCampaignMember',
  method: 'put',
  path: `${campaignPath}/members/:user_id`,
  tag: 'assignment',
  summary: 'Change permissions, weight, capacity or absence of a member; omitted fields are unchanged',
  permission: 'assignment:manage',
  isJudgedByResource: true,
  gate: 'none',
  params: memberParams,
  body: memberUpdate,
  responses: { 200: memberView },
  problems: ['resource.not-found'],
  handler: ({ actor, body, deps, params: { campaign_id, user_id }, change }) =>
    change(async (tx) => {
      await assertAccess(tx, actor, 'assignment:manage', { type: 'campaign', id: campaign_id });
      await openAssignments(tx);
      await updateMember(tx, campaign_id, user_id, body);
      tellAfterCommit(deps, tx, 'queue-wake', { campaign_id });
      return loadMember({ db: tx }, actor, campaign_id, user_id);
    }),
});

const getCampaignQueue = route({
  operationId: 'getCampaignQueue',
  method: 'get',
  path: `${campaignPath}/queue`,
  tag: 'assignment',
  summary: 'Contacts that wait for a member with free capacity, the next one first',
  permission: 'assignment:read',
  isJudgedByResource: true,
  gate: 'none',
  params: campaignParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(queueEntryView) },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { campaign_id }, query: page, read }) => {
    await assertAccess(deps.db, actor, 'assignment:read', { type: 'campaign', id: campaign_id });
    await loadCampaign(deps, actor, campaign_id);
    const rows = await read(queueList(campaign_id, page));
    return toPage(rows, page.limit, (row) => [String(row.position), row.id], (row) => row);
  },
});

const autoAssign = route({
  operationId: 'autoAssignContacts',
  method: 'post',
  path: `${campaignPath}/auto-assign`,
  tag: 'assignment',
  summary: 'Auto-assign contacts to the pool of a campaign',
  description:
    'Runs as a workflow; the response is the batch, which shows the progress. Without contact_ids all contacts ' +
    'without an owner are assigned, oldest first, up to 10,000.',
  permission: 'assignment:manage',
  isJudgedByResource: true,
  gate: 'none',
  params: campaignParams,
  body: bulkAssignment,
  responses: { 202: batchView },
  problems: ['resource.not-found', 'service.unavailable'],
  handler: ({ actor, body, deps, params: { campaign_id }, change }) =>
    change(async (tx) => {
      await assertAccess(tx, actor, 'assignment:manage', { type: 'campaign', id: campaign_id });
      const batchId = await startBulkAssignment(deps, tx, { campaign_id, ...body });
      const batch = await loadBatch({ db: tx }, actor, batchId);
      return reply(202, batch, { location: `/api/admin/assignment-batches/${batchId}` });
    }),
});

/** The pool and the queue of a campaign, and bulk assignment. */
export const campaignPoolRoutes = [getCampaignPool, updateCampaignMember, getCampaignQueue, autoAssign];
