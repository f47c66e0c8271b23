import { z } from 'zod';
import { openAssignmentsQuery } from '../../services/assignment/assignment-access.service.ts';
import { assignContacts as placeContacts } from '../../services/assignment/assignment-contacts.service.ts';
import type { AssignTarget } from '../../services/assignment/assignment-contacts.service.ts';
import { assignCampaigns as joinCampaigns, assertActiveUser } from '../../services/assignment/assignment-pool.service.ts';
import { assignmentRemoveCampaign } from '../../services/assignment/assignment-remove-campaign.action.ts';
import { assignmentRemoveContact } from '../../services/assignment/assignment-remove-contact.action.ts';
import { runGatedAction, runAction } from '../../services/actions/run-action.ts';
import { conflictRules } from '../../domain/assignment/assignment.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import {
  contactAssignmentView,
  contactOutcomeView,
  explainedAssignmentView,
  memberView,
  membersQuery,
} from './assignment.schemas.ts';
import { readAssignments, wakeQueues, withAssignments } from '../../services/assignment/assignment.client.ts';
import { pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import {
  assignedContacts,
  contactsPage,
  contactAssignmentsQuery,
  explain,
} from '../../services/assignment/contact-assignment.queries.ts';
import { memberSettings } from './campaign-pool.routes.ts';

const userPath = '/api/admin/users/:user_id';
const userParams = z.object({ user_id: z.uuid() });

const assignmentsView = z
  .object({
    user_id: z.uuid(),
    campaigns: z.array(memberView),
    contacts: pageOf(contactAssignmentView).describe('Contacts that the person looks after, newest first'),
  })
  .meta({ id: 'UserAssignments' });

const getUserAssignments = route({
  operationId: 'getUserAssignments',
  method: 'get',
  path: `${userPath}/assignments`,
  tag: 'assignment',
  summary: 'Campaigns and contacts of a person',
  permission: 'assignment:read',
  gate: 'none',
  params: userParams,
  query: z.strictObject(pageQuery),
  responses: { 200: assignmentsView },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { user_id }, query: page }) => {
    const [, [user], campaigns, contacts] = await readAll(deps.db, actor, [
      openAssignmentsQuery,
      query.selectFrom('users').where('id', '=', user_id).select('id'),
      membersQuery().where('p.user_id', '=', user_id).orderBy('p.assigned_at').orderBy('p.id'),
      assignedContacts(user_id, page),
    ] as const);
    if (user === undefined) throw notFound('user');
    return { user_id, campaigns, contacts: contactsPage(contacts, page.limit) };
  },
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
  responses: { 200: assignmentsView },
  problems: ['auth.forbidden'],
  handler: async ({ actor: { user_id }, query: page, read }) => {
    if (user_id === null) throw new Problem({ code: 'auth.forbidden', detail: 'Only people look after contacts.' });
    // Read as what the caller is: the policy shows nobody else's rows (S3-38).
    const campaigns = await read(membersQuery().where('p.user_id', '=', user_id).orderBy('p.assigned_at').orderBy('p.id'));
    const contacts = await read(assignedContacts(user_id, page));
    return { user_id, campaigns, contacts: contactsPage(contacts, page.limit) };
  },
});

function uniqueIds(max: number) {
  return z
    .array(z.uuid())
    .min(1)
    .max(max)
    .refine((ids) => new Set(ids).size === ids.length, 'must name each of them once');
}

const permissions = z.strictObject({
  can_view: memberSettings.can_view.default(true),
  can_edit: memberSettings.can_edit.default(false),
  can_send: memberSettings.can_send.default(false),
  can_manage: memberSettings.can_manage.default(false),
});

const assignCampaigns = route({
  operationId: 'assignCampaigns',
  method: 'post',
  path: `${userPath}/assign-campaigns`,
  tag: 'assignment',
  summary: 'Put a person into the pools of campaigns',
  description: 'Who is in one already stays there as is. A newcomer starts level with the others of the pool.',
  permission: 'assignment:manage',
  gate: 'none',
  params: userParams,
  body: z
    .strictObject({
      campaign_ids: uniqueIds(100),
      permissions: permissions.prefault({}),
      weight: memberSettings.weight.default(100),
      max_open_contacts: memberSettings.max_open_contacts.default(null),
      auto_assign: memberSettings.auto_assign.default(true),
      paused_until: memberSettings.paused_until.default(null),
    })
    .meta({ id: 'CampaignAssignment' }),
  responses: {
    200: z.object({
      user_id: z.uuid(),
      results: z.array(
        z
          .object({
            campaign_id: z.uuid(),
            outcome: z.enum(['assigned', 'skipped', 'conflict']),
            reason: z.enum(['by_hand', 'already_assigned', 'not_found']),
          })
          .meta({ id: 'CampaignOutcome' }),
      ),
    }),
  },
  problems: ['resource.not-found', 'assignment.user-inactive'],
  handler: async ({ actor, body, deps, params: { user_id }, unitOfWork }) => {
    const { campaign_ids, permissions: given, ...settings } = body;
    const outcomes = await unitOfWork(
      withAssignments((tx) => joinCampaigns(tx, user_id, campaign_ids, { ...given, ...settings })),
    );
    await wakeQueues(
      deps,
      actor,
      outcomes.filter(({ outcome }) => outcome === 'assigned').map(({ campaign_id }) => campaign_id),
    );
    return { user_id, results: outcomes.map(({ detail, ...outcome }) => ({ ...outcome, reason: detail })) };
  },
});

const assignContacts = route({
  operationId: 'assignContacts',
  method: 'post',
  path: `${userPath}/assign-contacts`,
  tag: 'assignment',
  summary: 'Give contacts to a person, or deal them to the pool that the person is in',
  description:
    'Mode manual gives all of them to this person. Mode round_robin deals them to the pool of campaign_id, of which this ' +
    'person is a member; results say who got which. For more than 500 use auto-assign.',
  permission: 'assignment:manage',
  gate: 'none',
  params: userParams,
  body: z
    .strictObject({
      contact_ids: uniqueIds(500),
      campaign_id: z.uuid().nullable().default(null),
      mode: z.enum(['manual', 'round_robin']).default('manual'),
      on_conflict: z.enum(conflictRules).default('skip').describe('For contacts that somebody else looks after'),
      keep_owner: z.boolean().default(false).describe('Each contact to its last owner again where possible'),
    })
    .refine(({ mode, campaign_id }) => mode === 'manual' || campaign_id !== null, {
      message: 'is needed for dealing',
      path: ['campaign_id'],
    })
    .meta({ id: 'ContactAssignmentRequest' }),
  responses: { 200: z.object({ user_id: z.uuid(), results: z.array(contactOutcomeView) }) },
  problems: ['resource.not-found', 'resource.conflict', 'assignment.user-inactive', 'assignment.contact-owned'],
  handler: async ({ actor, body, deps, params: { user_id }, unitOfWork }) => {
    const { contact_ids, mode, campaign_id, keep_owner, on_conflict } = body;
    const target: AssignTarget =
      mode === 'round_robin' && campaign_id !== null
        ? { mode, campaign_id, keep_owner }
        : { mode: 'manual', user_id, campaign_id };
    const outcomes = await unitOfWork(
      withAssignments(async (tx) => {
        if (target.mode === 'round_robin') await requireMember(tx, user_id, target.campaign_id);
        return placeContacts(tx, contact_ids, target, on_conflict);
      }),
    );
    if (outcomes.some(({ outcome }) => outcome === 'queued')) await wakeQueues(deps, actor, [campaign_id]);
    return { user_id, results: outcomes.map(({ detail, ...outcome }) => ({ ...outcome, reason: detail })) };
  },
});

/** @throws Problem 404 for a person or campaign that is not there, 409 for one who is not in the pool. */
async function requireMember(tx: Tx, userId: string, campaignId: string): Promise<void> {
  await assertActiveUser(tx, userId);
  const member = await tx.sql
    .selectFrom('campaigns as c')
    .leftJoin('user_campaign_assignment as p', (join) =>
      join.onRef('p.campaign_id', '=', 'c.id').on('p.user_id', '=', userId).on('p.is_active', '=', true),
    )
    .where('c.id', '=', campaignId)
    .where('c.deleted_at', 'is', null)
    .select('p.id')
    .executeTakeFirst();
  if (member === undefined) throw notFound('campaign');
  if (member.id === null) {
    throw new Problem({ code: 'resource.conflict', detail: 'The person is not in the pool of this campaign.' });
  }
}

const campaignParams = z.object({ user_id: z.uuid(), campaign_id: z.uuid() });

const removeUserCampaign = route({
  operationId: 'removeUserCampaign',
  method: 'delete',
  path: `${userPath}/campaigns/:campaign_id`,
  tag: 'assignment',
  summary: 'Take a person out of a campaign; contacts stay with the person',
  permission: 'assignment:manage',
  gate: { action: assignmentRemoveCampaign.name, payload: ({ params }) => params },
  params: campaignParams,
  responses: { 204: null },
  problems: ['resource.not-found'],
  handler: async ({ params, gate, unitOfWork }) => {
    const change = assignmentRemoveCampaign.prepare(params);
    await unitOfWork((tx) => runAction(tx, change, { kind: gate === 'none' ? 'none' : 'mfa' }));
    return reply(204);
  },
});

const contactParams = z.object({ user_id: z.uuid(), contact_id: z.uuid() });

const removeUserContact = route({
  operationId: 'removeUserContact',
  method: 'delete',
  path: `${userPath}/contacts/:contact_id`,
  tag: 'assignment',
  summary: 'Take a contact from a person; nobody looks after it then',
  permission: 'assignment:manage',
  gate: { action: assignmentRemoveContact.name, payload: ({ params }) => params },
  params: contactParams,
  responses: { 204: null },
  problems: ['resource.not-found'],
  handler: async (context) => {
    await runGatedAction(context, assignmentRemoveContact.prepare(context.params));
    return reply(204);
  },
});

const getUserContact = route({
  operationId: 'explainContactAssignment',
  method: 'get',
  path: `${userPath}/contacts/:contact_id`,
  tag: 'assignment',
  summary: 'Why this person has this contact: candidates, shares, shortfalls, exclusions, and the choice made again',
  permission: 'assignment:read',
  gate: 'none',
  params: contactParams,
  responses: { 200: explainedAssignmentView },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { user_id, contact_id } }) => {
    const [row] = await readAssignments(
      deps,
      actor,
      contactAssignmentsQuery()
        .where('a.user_id', '=', user_id)
        .where('a.contact_id', '=', contact_id)
        .where('a.released_at', 'is', null),
    );
    if (row === undefined) throw notFound('assignment');
    return explain(row);
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
