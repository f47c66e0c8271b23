import { z } from 'zod';
import { exclusionReasons } from '../../domain/assignment/auto-assign.ts';
import { lineText, timestamp, timestampInput, uuid } from '../../platform/value-schemas.ts';
import { queueReasonView } from './contact-assignment.schemas.ts';

/** A member of a campaign's pool. */
export const memberView = z
  .object({
    user_id: uuid,
    campaign_id: uuid,
    can_view: z.boolean(),
    can_edit: z.boolean(),
    can_send: z.boolean(),
    can_manage: z.boolean(),
    weight: z.number().int().describe('Relative share of new contacts; 100 by default'),
    max_open_contacts: z.number().int().nullable(),
    auto_assign: z.boolean(),
    paused_until: timestamp.nullable(),
    open_contacts: z.number().int().describe('Contacts owned now'),
    dealt_count: z.number().int(),
    credit: z.number().int().describe('Contacts counted for the time before joining and for absences'),
    last_assigned_at: timestamp.nullable(),
    assigned_by: uuid.nullable(),
    assigned_at: timestamp,
  })
  .meta({ id: 'CampaignMember' });

/** A member as the rule sees it now. */
export const poolMemberView = z
  .object({
    user_id: uuid,
    weight: z.number().int().describe('Relative share of new contacts; 100 by default'),
    load: z.number().int().describe('Contacts auto-assigned so far, plus the credit'),
    last_turn: z.number().int().nullable(),
    open_contacts: z.number().int().describe('Contacts owned now'),
    max_open_contacts: z.number().int().nullable(),
    exclusion: z.enum(exclusionReasons).nullable().describe('Why this user gets no contacts now'),
  })
  .meta({ id: 'PoolMember' });

/** A contact that waits in a campaign's queue. */
export const queueEntryView = z
  .object({
    id: uuid,
    contact_id: uuid,
    campaign_id: uuid.nullable(),
    position: z.number().int().describe('Lower positions are assigned first'),
    reason: queueReasonView,
    requested_by: uuid.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'QueueEntry' });

/** The settings of a member, without defaults. */
export const memberSettings = {
  can_view: z.boolean(),
  can_edit: z.boolean(),
  can_send: z.boolean(),
  can_manage: z.boolean(),
  weight: z.int().min(1).max(10_000).describe('Relative share of auto-assigned contacts'),
  max_open_contacts: z.int().min(0).max(1_000_000).nullable().describe('Null: no limit'),
  auto_assign: z.boolean().describe('False: contacts are assigned by hand only'),
  paused_until: timestampInput.nullable().describe('Absent until then'),
};

/** Body of a change of a member. */
export const memberUpdate = z
  .strictObject(memberSettings)
  .partial()
  .refine((body) => Object.keys(body).length > 0, { message: 'Change something.' })
  .meta({ id: 'CampaignMemberUpdate' });

/** Body of a bulk assignment by the rule. */
export const bulkAssignment = z
  .strictObject({
    contact_ids: z
      .array(uuid)
      .min(1)
      .max(5000)
      .refine((ids) => new Set(ids).size === ids.length, 'must name each contact once')
      .nullable()
      .default(null),
    source: lineText(100).nullable().default(null).describe('Only contacts from this source'),
    on_conflict: z.enum(['skip', 'reassign']).default('skip').describe('Contacts that already have an owner'),
    keep_owner: z.boolean().default(false).describe('Assign each contact to its previous owner where possible'),
  })
  .meta({ id: 'AutoAssignment' });
