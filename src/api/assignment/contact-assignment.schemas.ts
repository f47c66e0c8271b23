import { z } from 'zod';
import { assignmentOutcomes, outcomeDetails } from '../../domain/assignment/assignment.ts';
import { exclusionReasons } from '../../domain/assignment/auto-assign.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';

/** The inputs of a choice by the rule, and its result. */
const choiceFields = {
  rule_version: z.number().int(),
  candidates: z.array(
    z.object({
      user_id: uuid,
      weight: z.number().int().describe('Relative share of new contacts; 100 by default'),
      load: z.number().int().describe('Contacts auto-assigned so far, plus the credit'),
      last_turn: z.number().int().nullable(),
      share: z.number().describe('Share of auto-assigned contacts that is due, 0 to 1'),
      shortfall: z.number().describe('Contacts missing to the due share; the largest is next'),
    }),
  ),
  excluded: z.array(z.object({ user_id: uuid, reason: z.enum(exclusionReasons) })),
  preferred_user_id: uuid.nullable(),
  chosen_user_id: uuid.nullable(),
};

/** Why a contact has its owner. */
const assignmentReasonView = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('dealt'), from_user_id: uuid.nullable(), ...choiceFields }),
    z.object({ kind: z.literal('manual'), from_user_id: uuid.nullable() }),
    z.object({ kind: z.literal('handed_over'), from_user_id: uuid }),
  ])
  .meta({ id: 'AssignmentReason' });

/** Why a contact waits. */
export const queueReasonView = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('no_candidate'), ...choiceFields }),
    z.object({ kind: z.literal('behind_others') }),
    z.object({ kind: z.literal('no_campaign') }),
  ])
  .meta({ id: 'QueueReason' });

const assignmentFields = {
  id: uuid,
  user_id: uuid,
  contact_id: uuid,
  campaign_id: uuid.nullable(),
  method: z.enum(['manual', 'round_robin', 'reassign']),
  assigned_by: uuid.nullable(),
  assigned_at: timestamp,
  released_at: timestamp.nullable(),
};

/** An assignment of a contact in a list. */
export const contactAssignmentView = z.object(assignmentFields).meta({ id: 'ContactAssignment' });

/** An assignment of a contact with its reason. */
export const explainedAssignmentView = z
  .object({
    ...assignmentFields,
    reason: assignmentReasonView,
    replay: z
      .object({ user_id: uuid.nullable(), agrees: z.boolean() })
      .nullable()
      .describe('The choice repeated from the stored inputs; null if assigned by hand'),
  })
  .meta({ id: 'ExplainedAssignment' });

/** The outcome of one contact of a request. */
export const contactOutcomeView = z
  .object({
    contact_id: uuid,
    outcome: z.enum(assignmentOutcomes),
    reason: z.enum(outcomeDetails),
    user_id: uuid.nullable().describe('Current owner'),
  })
  .meta({ id: 'ContactOutcome' });
