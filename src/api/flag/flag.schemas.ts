import { z } from 'zod';
import { timestamp, uuid } from '../../platform/value-schemas.ts';
import { flagContent, flagEnvironment } from '../../services/flag/flag.payload.ts';

/** A flag in one environment. */
export const FlagBody = z
  .object({
    id: uuid,
    key: z.string(),
    environment: flagEnvironment,
    ...flagContent.shape,
    off_is_safe: z.boolean().describe('False: switching it off is not safe, so there is no emergency-off'),
    updated_by: uuid.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
  })
  .meta({ id: 'FeatureFlag' });

/** One version of a flag. */
export const FlagHistoryBody = z
  .object({
    id: uuid,
    key: z.string(),
    environment: flagEnvironment,
    version: z.int(),
    change: z.enum(['created', 'updated', 'toggled', 'emergency_off']),
    definition: flagContent.extend({
      off_is_safe: flagContent.shape.off_is_safe.describe('Absent in versions from before a flag could say so'),
    }),
    changed_by: uuid.nullable(),
    reason: z.string().nullable(),
    approval_id: uuid.nullable().describe('The request that allowed the change'),
    created_at: timestamp,
  })
  .meta({ id: 'FeatureFlagHistoryEntry' });
