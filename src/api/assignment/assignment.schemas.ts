import { sql } from 'kysely';
import { z } from 'zod';
import { assignmentOutcomes, outcomeDetails } from '../../domain/assignment/assignment.ts';
import { exclusionReasons } from '../../domain/assignment/auto-assign.ts';
import { campaignChannels, campaignStatuses } from '../../entities/assignment/campaign.entity.ts';
import { query } from '../../entities/kysely-schema.ts';
import { timestamp } from '../../platform/value-schemas.ts';

const day = z.iso.date();

export const campaignView = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string().nullable(),
    channel: z.enum(campaignChannels).nullable(),
    status: z.enum(campaignStatuses).describe('Contacts are dealt in an active one only'),
    starts_on: day.nullable(),
    ends_on: day.nullable(),
    created_by: z.uuid().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.number().int(),
  })
  .meta({ id: 'Campaign' });

/** Living campaigns with the columns that are shown. */
export function campaignsQuery() {
  return query
    .selectFrom('campaigns')
    .where('deleted_at', 'is', null)
    .select(['id', 'name', 'description', 'channel', 'status', 'starts_on', 'ends_on'])
    .select(['created_by', 'created_at', 'updated_at', 'version']);
}

export const contactView = z
  .object({
    id: z.uuid(),
    name: z.string(),
    email: z.string().nullable(),
    phone_number: z.string().nullable(),
    company: z.string().nullable(),
    source: z.string().nullable(),
    notes: z.string().nullable(),
    user_id: z.uuid().nullable().describe('Who looks after it, as far as the caller may see assignments'),
    is_waiting: z.boolean().describe('Waits in a queue for somebody with a place'),
    created_by: z.uuid().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.number().int(),
  })
  .meta({ id: 'Contact' });

/** Living contacts with their owner; `c` is the row of `contacts`. */
export function contactsQuery() {
  return query
    .selectFrom('contacts as c')
    .leftJoin('user_contact_assignment as a', (join) =>
      join.onRef('a.contact_id', '=', 'c.id').on('a.released_at', 'is', null),
    )
    .where('c.deleted_at', 'is', null)
    .select(['c.id', 'c.name', 'c.email', 'c.phone_number', 'c.company', 'c.source', 'c.notes', 'a.user_id'])
    .select(['c.created_by', 'c.created_at', 'c.updated_at', 'c.version'])
    .select(
      sql<boolean>`exists (select from assignment_queue q where q.contact_id = c.id and q.left_at is null)`.as('is_waiting'),
    );
}

export const memberView = z
  .object({
    user_id: z.uuid(),
    campaign_id: z.uuid(),
    can_view: z.boolean(),
    can_edit: z.boolean(),
    can_send: z.boolean(),
    can_manage: z.boolean(),
    weight: z.number().int().describe('Relative share of new contacts; 100 is the usual'),
    max_open_contacts: z.number().int().nullable(),
    auto_assign: z.boolean(),
    paused_until: timestamp.nullable(),
    open_contacts: z.number().int().describe('Contacts looked after now'),
    dealt_count: z.number().int(),
    credit: z.number().int().describe('Stands for what was dealt before joining and during absences'),
    last_assigned_at: timestamp.nullable(),
    assigned_by: z.uuid().nullable(),
    assigned_at: timestamp,
  })
  .meta({ id: 'CampaignMember' });

/** Living memberships; `p` is the row. */
export function membersQuery() {
  return query
    .selectFrom('user_campaign_assignment as p')
    .where('p.is_active', '=', true)
    .select(['p.user_id', 'p.campaign_id', 'p.can_view', 'p.can_edit', 'p.can_send', 'p.can_manage'])
    .select(['p.weight', 'p.max_open_contacts', 'p.auto_assign', 'p.paused_until', 'p.open_contacts'])
    .select(['p.dealt_count', 'p.credit', 'p.last_assigned_at', 'p.assigned_by', 'p.assigned_at']);
}

/** A member with what the rule would say of it now. */
export const poolMemberView = z
  .object({
    user_id: z.uuid(),
    weight: z.number().int().describe('Relative share of new contacts; 100 is the usual'),
    load: z.number().int().describe('Contacts dealt so far, with the credit given at joining'),
    last_turn: z.number().int().nullable(),
    open_contacts: z.number().int().describe('Contacts looked after now'),
    max_open_contacts: z.number().int().nullable(),
    exclusion: z.enum(exclusionReasons).nullable().describe('Why nothing is dealt to this person now; null: it is'),
  })
  .meta({ id: 'PoolMember' });

const dealReason = {
  rule_version: z.number().int(),
  candidates: z.array(
    z.object({
      user_id: z.uuid(),
      weight: z.number().int().describe('Relative share of new contacts; 100 is the usual'),
      load: z.number().int().describe('Contacts dealt so far, with the credit given at joining'),
      last_turn: z.number().int().nullable(),
      share: z.number().describe('Part of all dealing that is due, 0 to 1'),
      shortfall: z.number().describe('Contacts behind the due share; the largest is dealt to next'),
    }),
  ),
  excluded: z.array(z.object({ user_id: z.uuid(), reason: z.enum(exclusionReasons) })),
  preferred_user_id: z.uuid().nullable(),
  chosen_user_id: z.uuid().nullable(),
};

export const assignmentReasonView = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('dealt'), from_user_id: z.uuid().nullable(), ...dealReason }),
    z.object({ kind: z.literal('manual'), from_user_id: z.uuid().nullable() }),
    z.object({ kind: z.literal('handed_over'), from_user_id: z.uuid() }),
  ])
  .meta({ id: 'AssignmentReason' });

export const queueReasonView = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('no_candidate'), ...dealReason }),
    z.object({ kind: z.literal('behind_others') }),
    z.object({ kind: z.literal('no_campaign') }),
  ])
  .meta({ id: 'QueueReason' });

const assignmentFields = {
  id: z.uuid(),
  user_id: z.uuid(),
  contact_id: z.uuid(),
  campaign_id: z.uuid().nullable(),
  method: z.enum(['manual', 'round_robin', 'reassign']),
  assigned_by: z.uuid().nullable(),
  assigned_at: timestamp,
  released_at: timestamp.nullable(),
};

export const contactAssignmentView = z.object(assignmentFields).meta({ id: 'ContactAssignment' });

export const explainedAssignmentView = z
  .object({
    ...assignmentFields,
    reason: assignmentReasonView,
    replay: z
      .object({ user_id: z.uuid().nullable(), agrees: z.boolean() })
      .nullable()
      .describe('The choice made again from the stored inputs; null for what was assigned by hand'),
  })
  .meta({ id: 'ExplainedAssignment' });

export const contactOutcomeView = z
  .object({
    contact_id: z.uuid(),
    outcome: z.enum(assignmentOutcomes),
    reason: z.enum(outcomeDetails),
    user_id: z.uuid().nullable().describe('Who looks after it now'),
  })
  .meta({ id: 'ContactOutcome' });

export const queueEntryView = z
  .object({
    id: z.uuid(),
    contact_id: z.uuid(),
    campaign_id: z.uuid().nullable(),
    position: z.number().int().describe('Lower ones leave first'),
    reason: queueReasonView,
    requested_by: z.uuid().nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'QueueEntry' });

export const batchView = z
  .object({
    id: z.uuid(),
    kind: z.enum(['bulk', 'hand_over']),
    campaign_id: z.uuid().nullable(),
    from_user_id: z.uuid().nullable(),
    to_user_id: z.uuid().nullable(),
    on_conflict: z.enum(['skip', 'reassign']),
    keep_owner: z.boolean(),
    status: z.enum(['running', 'completed', 'cancelled']),
    total: z.number().int(),
    counts: z.object({
      open: z.number().int().describe('Not worked through yet'),
      assigned: z.number().int().describe('Given to somebody'),
      queued: z.number().int().describe('Waiting for a free place'),
      skipped: z.number().int().describe('Left as they were'),
      conflict: z.number().int().describe('Refused because somebody else looks after them'),
    }),
    requested_by: z.uuid().nullable(),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'AssignmentBatch' });

/** Batches with what has become of their contacts; `b` is the row. */
export function batchesQuery() {
  return query
    .selectFrom('assignment_batches as b')
    .select(['b.id', 'b.kind', 'b.campaign_id', 'b.from_user_id', 'b.to_user_id', 'b.on_conflict', 'b.keep_owner'])
    .select(['b.status', 'b.total', 'b.requested_by', 'b.created_at', 'b.finished_at'])
    .select(
      sql<Record<'open' | 'assigned' | 'queued' | 'skipped' | 'conflict', number>>`(
        select jsonb_build_object(
          'open', count(*) filter (where i.outcome is null), 'assigned', count(*) filter (where i.outcome = 'assigned'),
          'queued', count(*) filter (where i.outcome = 'queued'), 'skipped', count(*) filter (where i.outcome = 'skipped'),
          'conflict', count(*) filter (where i.outcome = 'conflict'))
        from assignment_batch_items i where i.batch_id = b.id)`.as('counts'),
    );
}

export const batchItemView = z
  .object({
    contact_id: z.uuid(),
    position: z.number().int(),
    campaign_id: z.uuid().nullable(),
    outcome: z.enum(assignmentOutcomes).nullable().describe('Null: still to be done'),
    reason: z.string().nullable(),
    user_id: z.uuid().nullable(),
    settled_at: timestamp.nullable(),
  })
  .meta({ id: 'AssignmentBatchItem' });
