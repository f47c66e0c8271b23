import { z } from 'zod';
import { createCampaign as insertCampaign, updateCampaign as saveCampaign } from '../../services/assignment/campaign.service.ts';
import { campaignDelete } from '../../services/assignment/campaign-delete.action.ts';
import { runAction } from '../../services/actions/run-action.ts';
import { campaignChannels, campaignStatuses } from '../../entities/assignment/campaign.entity.ts';
import { campaignView, campaignsQuery } from './assignment.schemas.ts';
import { campaignParams, campaignPath, campaignsPath, showCampaign } from './campaign.schemas.ts';
import { wakeQueues } from '../../services/assignment/assignment.client.ts';
import { expectedVersion } from '../../platform/row-version.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { campaignPoolRoutes } from './campaign-pool.routes.ts';

const fields = {
  name: z.string().trim().min(1).max(200),
  description: z.string().trim().min(1).max(5000).nullable(),
  channel: z.enum(campaignChannels).nullable(),
  status: z.enum(campaignStatuses),
  starts_on: z.iso.date().nullable(),
  ends_on: z.iso.date().nullable(),
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
    const rows = await read(
      campaignsQuery()
        .$if(status !== undefined, (q) => q.where('status', '=', status ?? 'active'))
        .$call(newestFirst({ limit, cursor })),
    );
    return newestPage(rows, limit);
  },
});

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

export const campaignRoutes = [
  getCampaigns,
  getCampaign,
  createCampaign,
  updateCampaign,
  deleteCampaign,
  ...campaignPoolRoutes,
];
