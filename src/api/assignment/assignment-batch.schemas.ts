import { z } from 'zod';
import { assignmentOutcomes } from '../../domain/assignment/assignment.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';

/** A batch with the number of its contacts by outcome. */
export const batchView = z
  .object({
    id: uuid,
    kind: z.enum(['bulk', 'hand_over']),
    campaign_id: uuid.nullable(),
    from_user_id: uuid.nullable(),
    to_user_id: uuid.nullable(),
    on_conflict: z.enum(['skip', 'reassign']),
    keep_owner: z.boolean(),
    status: z.enum(['running', 'completed', 'cancelled']),
    total: z.number().int(),
    counts: z.object({
      open: z.number().int().describe('Not processed yet'),
      assigned: z.number().int().describe('Assigned to a user'),
      queued: z.number().int().describe('Waiting for free capacity'),
      skipped: z.number().int().describe('Left unchanged'),
      conflict: z.number().int().describe('Refused because another user owns them'),
    }),
    requested_by: uuid.nullable(),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'AssignmentBatch' });

/** One contact of a batch. */
export const batchItemView = z
  .object({
    contact_id: uuid,
    position: z.number().int(),
    campaign_id: uuid.nullable(),
    outcome: z.enum(assignmentOutcomes).nullable().describe('Null: not processed yet'),
    reason: z.string().nullable(),
    user_id: uuid.nullable(),
    settled_at: timestamp.nullable(),
  })
  .meta({ id: 'AssignmentBatchItem' });

/** Who would get the contacts of a user. */
export const reassignmentPreview = z
  .object({
    user_id: uuid,
    to_user_id: uuid.nullable(),
    total: z.number().int(),
    campaigns: z.array(
      z.object({
        campaign_id: uuid.nullable(),
        contacts: z.number().int().describe('Number of contacts'),
        would_get: z.array(z.object({ user_id: uuid, contacts: z.number().int().describe('Contacts they get') })),
        would_wait: z.number().int().describe('Contacts for which no member has free capacity'),
      }),
    ),
  })
  .meta({ id: 'HandOverPreview' });
