import { z } from 'zod';
import { flagContent, flagDefinition, flagEnvironment } from '../../services/flag/flag.payload.ts';
import { timestamp } from '../../platform/value-schemas.ts';

/** A flag in one environment. */
export const FlagBody = z
  .object({
    id: z.uuid(),
    key: z.string(),
    environment: flagEnvironment,
    ...flagContent.shape,
    updated_by: z.uuid().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
  })
  .meta({ id: 'FeatureFlag' });

/** One version of a flag. */
export const FlagHistoryBody = z
  .object({
    id: z.uuid(),
    key: z.string(),
    environment: flagEnvironment,
    version: z.int(),
    change: z.enum(['created', 'updated', 'toggled', 'emergency_off']),
    definition: flagDefinition,
    changed_by: z.uuid().nullable(),
    reason: z.string().nullable(),
    approval_id: z.uuid().nullable().describe('The request that allowed the change'),
    created_at: timestamp,
  })
  .meta({ id: 'FeatureFlagHistoryEntry' });
