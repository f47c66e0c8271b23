import { z } from 'zod';
import { pageQuery } from '../../platform/database/keyset-page.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { openAssignments } from '../../services/assignment/assignment-access.service.ts';
import { tellAfterCommit } from '../../services/commands/workflow-start.service.ts';
import { assignmentRemoveCampaign } from '../../services/assignment/assignment-remove-campaign.action.ts';
import { assignmentRemoveContact } from '../../services/assignment/assignment-remove-contact.action.ts';
import { joinCampaigns } from '../../services/assignment/campaign/campaign-pool.service.ts';
import {
  explainAssignment,
  loadOwnAssignments,
  loadUserAssignments,
} from '../../services/assignment/contact-assignment.queries.ts';
import { assignRequestedContacts } from '../../services/assignment/contact-assignment.service.ts';
import { assertAccess } from '../../services/assignment/resource-access.service.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import {
  campaignAssignment,
  campaignOutcomes,
  contactAssignment,
  contactOutcomes,
  presentOutcomes,
  userAssignmentsView,
} from './assignment.schemas.ts';
import { judgedRemoval } from './campaign.schemas.ts';
import { explainedAssignmentView } from './contact-assignment.schemas.ts';
import { uuid } from '../../platform/value-schemas.ts';

const userPath = '/api/admin/users/:user_id';
const userParams = z.object({ user_id: uuid });

const getUserAssignments = route({
  operationId: 'getUserAssignments',
  method: 'get',
  path: `${userPath}/assignments`,
  tag: 'assignment',
  summary: 'Campaigns and contacts of a user',
  permission: 'assignment:read',
  gate: 'none',
  params: userParams,
  query: z.strictObject(pageQuery),
  responses: { 200: userAssignmentsView },
  problems: ['resource.not-found'],
  handler: ({ actor, deps, params, query: page }) => loadUserAssignments(deps, actor, params.user_id, page),
});

const getMyAssignments = route({
  operationId: 'getMyAssignments',
  method: 'get',
  path: '/users/me/assignments',
  tag: 'assignment',
  summary: 'Campaigns and contacts of the caller',
  permission: 'authenticated',
  gate: 'none',
  query: z.strictObject(pageQuery),
  responses: { 200: userAssignmentsView },
  problems: ['auth.forbidden'],
  handler: ({ actor, deps, query: page }) => loadOwnAssignments(deps, actor, page),
});

const assignCampaigns = route({
  operationId: 'assignCampaigns',
  method: 'post',
  path: `${userPath}/assign-campaigns`,
  tag: 'assignment',
  summary: 'Assign a user to campaigns',
  description:
    'Existing memberships are unchanged. A new member starts at the level of the others in the pool. Who manages the campaigns ' +
    'may do it without the permission.',
  permission: 'assignment:manage',
  isJudgedByResource: true,
  gate: 'none',
  params: userParams,
  body: campaignAssignment,
  responses: { 200: campaignOutcomes },
  problems: ['resource.not-found', 'assignment.user-inactive'],
  handler: async ({ actor, body, deps, params: { user_id }, change }) => {
    const { campaign_ids, permissions, ...settings } = body;
    return change(async (tx) => {
      for (const id of campaign_ids) await assertAccess(tx, actor, 'assignment:manage', { type: 'campaign', id });
      await openAssignments(tx);
      const outcomes = await joinCampaigns(tx, user_id, campaign_ids, { ...permissions, ...settings });
      const joined = outcomes.filter(({ outcome }) => outcome === 'assigned').map(({ campaign_id }) => campaign_id);
      for (const campaign_id of new Set(joined)) tellAfterCommit(deps, tx, 'queue-wake', { campaign_id });
      return presentOutcomes(user_id, outcomes);
    });
  },
});

const assignContacts = route({
  operationId: 'assignContacts',
  method: 'post',
  path: `${userPath}/assign-contacts`,
  tag: 'assignment',
  summary: 'Assign contacts to a user, or auto-assign them to the user’s pool',
  description:
    'Mode manual assigns all contacts to this user. Mode round_robin auto-assigns them to the pool of campaign_id, ' +
    'of which this user is a member; the results name the owner of each. For more than 500 use auto-assign.',
  permission: 'assignment:manage',
  gate: 'none',
  params: userParams,
  body: contactAssignment,
  responses: { 200: contactOutcomes },
  problems: ['resource.not-found', 'resource.conflict', 'assignment.user-inactive', 'assignment.contact-owned'],
  handler: ({ body, deps, params: { user_id }, change }) =>
    change(async (tx) => {
      await openAssignments(tx);
      const outcomes = await assignRequestedContacts(tx, user_id, body);
      const hasQueued = outcomes.some(({ outcome }) => outcome === 'queued');
      const { campaign_id } = body;
      if (hasQueued && campaign_id !== null) tellAfterCommit(deps, tx, 'queue-wake', { campaign_id });
      return presentOutcomes(user_id, outcomes);
    }),
});

const campaignParams = z.object({ user_id: uuid, campaign_id: uuid });

const removeUserCampaign = route({
  operationId: 'removeUserCampaign',
  method: 'delete',
  path: `${userPath}/campaigns/:campaign_id`,
  tag: 'assignment',
  summary: 'Remove a user from a campaign; the user keeps the contacts',
  description: judgedRemoval,
  permission: 'assignment:manage',
  isJudgedByResource: true,
  gate: { action: assignmentRemoveCampaign.name, payload: ({ params }) => params },
  params: campaignParams,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['resource.not-found'],
  handler: (context) =>
    context.change(async (tx) => {
      const { actor, params } = context;
      await assertAccess(tx, actor, 'assignment:manage', { type: 'campaign', id: params.campaign_id });
      await runGatedAction(tx, context, assignmentRemoveCampaign.prepare(params));
      return reply(204);
    }),
});

const contactParams = z.object({ user_id: uuid, contact_id: uuid });

const removeUserContact = route({
  operationId: 'removeUserContact',
  method: 'delete',
  path: `${userPath}/contacts/:contact_id`,
  tag: 'assignment',
  summary: 'Remove a contact from a user; it then has no owner',
  permission: 'assignment:manage',
  gate: { action: assignmentRemoveContact.name, payload: ({ params }) => params },
  params: contactParams,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['resource.not-found'],
  handler: (context) =>
    context.change(async (tx) => {
      await runGatedAction(tx, context, assignmentRemoveContact.prepare(context.params));
      return reply(204);
    }),
});

const getUserContact = route({
  operationId: 'explainContactAssignment',
  method: 'get',
  path: `${userPath}/contacts/:contact_id`,
  tag: 'assignment',
  summary: 'Why this user has this contact: candidates, shares, shortfalls, exclusions, and a replay of the choice',
  permission: 'assignment:read',
  isJudgedByResource: true,
  gate: 'none',
  params: contactParams,
  responses: { 200: explainedAssignmentView },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { user_id, contact_id } }) => {
    await assertAccess(deps.db, actor, 'assignment:read', { type: 'contact', id: contact_id });
    return explainAssignment(deps, actor, user_id, contact_id);
  },
});

export const assignmentRoutes = [
  getMyAssignments,
  getUserAssignments,
  assignCampaigns,
  assignContacts,
  removeUserCampaign,
  removeUserContact,
  getUserContact,
];
