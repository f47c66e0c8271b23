import { z } from 'zod';
import { conflictRules } from '../../domain/assignment/assignment.ts';
import { pageOf } from '../../platform/database/keyset-page.ts';
import { memberSettings, memberView } from './campaign-pool.schemas.ts';
import { contactAssignmentView, contactOutcomeView } from './contact-assignment.schemas.ts';
import { uuid } from '../../platform/value-schemas.ts';

/** Campaigns and contacts of a user. */
export const userAssignmentsView = z
  .object({
    user_id: uuid,
    campaigns: z.array(memberView),
    contacts: pageOf(contactAssignmentView).describe('Contacts that the user owns, newest first'),
  })
  .meta({ id: 'UserAssignments' });

function uniqueIds(max: number) {
  return z
    .array(uuid)
    .min(1)
    .max(max)
    .refine((ids) => new Set(ids).size === ids.length, 'must name each of them once');
}

const memberPermissions = z.strictObject({
  can_view: memberSettings.can_view.default(true),
  can_edit: memberSettings.can_edit.default(false),
  can_send: memberSettings.can_send.default(false),
  can_manage: memberSettings.can_manage.default(false),
});

/** Body that adds a user to the pools of campaigns. */
export const campaignAssignment = z
  .strictObject({
    campaign_ids: uniqueIds(100),
    permissions: memberPermissions.prefault({}),
    weight: memberSettings.weight.default(100),
    max_open_contacts: memberSettings.max_open_contacts.default(null),
    auto_assign: memberSettings.auto_assign.default(true),
    paused_until: memberSettings.paused_until.default(null),
  })
  .meta({ id: 'CampaignAssignment' });

/** Body that assigns contacts to a user or to a pool. */
export const contactAssignment = z
  .strictObject({
    contact_ids: uniqueIds(500),
    campaign_id: uuid.nullable().default(null),
    mode: z.enum(['manual', 'round_robin']).default('manual'),
    on_conflict: z.enum(conflictRules).default('skip').describe('What to do with contacts that another user owns'),
    keep_owner: z.boolean().default(false).describe('Assign each contact to its previous owner where possible'),
  })
  .refine(({ mode, campaign_id }) => mode === 'manual' || campaign_id !== null, {
    message: 'is required for auto-assignment',
    path: ['campaign_id'],
  })
  .meta({ id: 'ContactAssignmentRequest' });

/** The outcome of each campaign of a request. */
export const campaignOutcomes = z.object({
  user_id: uuid,
  results: z.array(
    z
      .object({
        campaign_id: uuid,
        outcome: z.enum(['assigned', 'skipped', 'conflict']),
        reason: z.enum(['by_hand', 'already_assigned', 'not_found']),
      })
      .meta({ id: 'CampaignOutcome' }),
  ),
});

/** The outcome of each contact of a request. */
export const contactOutcomes = z.object({ user_id: uuid, results: z.array(contactOutcomeView) });

/** Answers with the outcomes of a request; `detail` is called `reason` in the API. */
export function presentOutcomes<Detail extends string, Outcome extends { readonly detail: Detail }>(
  user_id: string,
  outcomes: readonly Outcome[],
) {
  return { user_id, results: outcomes.map(({ detail, ...outcome }) => ({ ...outcome, reason: detail })) };
}
