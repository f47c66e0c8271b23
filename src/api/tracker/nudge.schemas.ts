import { z } from 'zod';
import { nudgePriorities, nudgeRules, nudgeTypes } from '../../domain/tracker/tracker-nudge-rules.ts';
import { timestamp } from '../../platform/value-schemas.ts';
import { ownedFields } from './tracker.schemas.ts';

/** A nudge as it is answered (S0-82). */
export const NudgeBody = z
  .object({
    ...ownedFields,
    type: z.enum(nudgeTypes),
    message: z.string(),
    priority: z.enum(nudgePriorities),
    read: z.boolean(),
    action_url: z.string().nullable(),
    rule: z.enum(nudgeRules),
    worded_by: z.enum(['rule', 'model']),
    snoozed_until: timestamp.nullable(),
    expires_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'AdminNudgeResponse' });

const maxSnoozeMinutes = 7 * 24 * 60;

export const NudgeSnooze = z.strictObject({
  minutes: z.int().min(0).max(maxSnoozeMinutes).describe('Minutes for which the nudge is hidden'),
});
