import { z } from 'zod';
import { clientKinds } from '../../domain/client-record/client.ts';
import { reasonText, timestampInput, uuid } from '../../platform/value-schemas.ts';

/** Which clients an approved export holds; null does not narrow it. */
export const clientExportFilters = z
  .strictObject({
    state: z.enum(['active', 'deleted']).default('active'),
    kind: z.enum(clientKinds).nullable().default(null),
    created_by: uuid.nullable().default(null),
    created_from: timestampInput.nullable().default(null).describe('Created at or after this time'),
    created_to: timestampInput.nullable().default(null).describe('Created before this time'),
  })
  .meta({ id: 'ClientExportFilters' });

/** What is asked for when full numbers are to leave the system. */
export const clientExportRequest = z
  .strictObject({
    filters: clientExportFilters.prefault({}),
    reason: reasonText.describe('Reason, for the record; must not name a client'),
  })
  .meta({ id: 'ClientExportRequest' });

/** The same with who will fetch the file: two people who ask for the same clients ask for two things. */
export const clientExportFullPayload = clientExportRequest.extend({ requested_by: uuid.optional() });
