import { z } from 'zod';
import { campaignStatuses } from '../../entities/assignment/campaign.entity.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { tellAfterCommit } from '../../services/commands/workflow-start.service.ts';
import { campaignDelete } from '../../services/assignment/campaign/campaign-delete.action.ts';
import { createCampaign as insertCampaign, updateCampaign as saveCampaign } from '../../services/assignment/campaign/campaign.service.ts';
import { campaignList, loadCampaign } from '../../services/assignment/campaign/campaign.queries.ts';
import type { ReadSource } from '../../platform/database/read.ts';
import { assertAccess } from '../../services/assignment/resource-access.service.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { campaignPoolRoutes } from './campaign-pool.routes.ts';
import { campaignCreation, campaignUpdate, campaignView, judgedRemoval } from './campaign.schemas.ts';
import { uuid } from '../../platform/value-schemas.ts';

const campaignsPath = '/api/admin/campaigns';
const campaignPath = `${campaignsPath}/:campaign_id`;
const campaignParams = z.object({ campaign_id: uuid });

type Context = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'deps'>;

/** Answers with a campaign and its entity tag. @throws Problem 404. */
async function showCampaign({ actor }: Context, db: ReadSource, id: string, status: 200 | 201 = 200) {
  const campaign = await loadCampaign({ db }, actor, id);
  return reply(status, campaign, { etag: versionEtag(campaign.version) });
}

const getCampaigns = route({
  operationId: 'getCampaigns',
  method: 'get',
  path: campaignsPath,
  aliases: ['/campaigns'],
  tag: 'campaign',
  summary: 'Campaigns, newest first',
  permission: 'campaign:read',
  isJudgedByResource: true,
  gate: 'none',
  query: z.strictObject({ ...pageQuery, status: z.enum(campaignStatuses).optional() }),
  responses: { 200: pageOf(campaignView) },
  handler: async ({ actor, query: filter, read }) => newestPage(await read(campaignList(actor, filter)), filter.limit),
});

const getCampaign = route({
  operationId: 'getCampaign',
  method: 'get',
  path: campaignPath,
  aliases: ['/campaigns/:campaign_id'],
  tag: 'campaign',
  summary: 'One campaign',
  permission: 'campaign:read',
  isJudgedByResource: true,
  gate: 'none',
  params: campaignParams,
  responses: { 200: campaignView },
  problems: ['resource.not-found'],
  handler: async (context) => {
    const { actor, deps, params } = context;
    await assertAccess(deps.db, actor, 'campaign:read', { type: 'campaign', id: params.campaign_id });
    return showCampaign(context, deps.db, params.campaign_id);
  },
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
  body: campaignCreation,
  responses: { 201: campaignView },
  problems: ['resource.conflict'],
  handler: (context) =>
    context.change(async (tx) => {
      const id = await insertCampaign(tx, context.body);
      return showCampaign(context, tx, id, 201);
    }),
});

const updateCampaign = route({
  operationId: 'updateCampaign',
  method: 'put',
  path: campaignPath,
  tag: 'campaign',
  summary: 'Change a campaign; omitted fields are unchanged',
  permission: 'campaign:update',
  isJudgedByResource: true,
  gate: 'none',
  requiresIfMatch: true,
  params: campaignParams,
  body: campaignUpdate,
  responses: { 200: campaignView },
  problems: ['resource.not-found', 'resource.conflict', 'resource.version-mismatch', 'request.invalid'],
  handler: async (context) => {
    const { actor, body, deps, params, request, change } = context;
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      await assertAccess(tx, actor, 'campaign:update', { type: 'campaign', id: params.campaign_id });
      await saveCampaign(tx, params.campaign_id, version, body);
      if (body.status === 'active') tellAfterCommit(deps, tx, 'queue-wake', { campaign_id: params.campaign_id });
      return showCampaign(context, tx, params.campaign_id);
    });
  },
});

const deleteCampaign = route({
  operationId: 'deleteCampaign',
  method: 'delete',
  path: campaignPath,
  tag: 'campaign',
  summary: 'Delete a campaign; contacts keep their owners',
  description: judgedRemoval,
  permission: 'campaign:manage',
  isJudgedByResource: true,
  gate: {
    action: campaignDelete.name,
    payload: ({ params }, { ifMatch }) => ({ campaign_id: params.campaign_id, version: expectedVersion(ifMatch) }),
  },
  requiresIfMatch: true,
  params: campaignParams,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['resource.not-found', 'resource.version-mismatch'],
  handler: async (context) => {
    const { actor, params, request } = context;
    const version = expectedVersion(request.ifMatch);
    return context.change(async (tx) => {
      await assertAccess(tx, actor, 'campaign:manage', { type: 'campaign', id: params.campaign_id });
      await runGatedAction(tx, context, campaignDelete.prepare({ campaign_id: params.campaign_id, version }));
      return reply(204);
    });
  },
});

export const campaignRoutes = [
  getCampaigns,
  getCampaign,
  createCampaign,
  updateCampaign,
  deleteCampaign,
  ...campaignPoolRoutes,
];
