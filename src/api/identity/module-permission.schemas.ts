import { z } from 'zod';
import { softwareModules } from '../../domain/identity/module-permission.ts';
import { timestampInput, timestamp, uuid } from '../../platform/value-schemas.ts';

/** What a person may do in one software module, as it is shown. */
export const modulePermissionView = z
  .object({
    id: uuid,
    user_id: uuid,
    agent_name: z.enum(softwareModules),
    can_create: z.boolean(),
    can_read: z.boolean(),
    can_update: z.boolean(),
    can_delete: z.boolean(),
    granted_by: uuid.nullable(),
    expires_at: timestamp.nullable(),
    is_expired: z.boolean().describe('As of now; an expired permission grants nothing'),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.number().int(),
  })
  .meta({ id: 'AgentPermission' });

/** What a person is to be allowed in a module; what is left out is not. */
export const modulePermissionValues = z
  .strictObject({
    can_create: z.boolean().default(false),
    can_read: z.boolean().default(false),
    can_update: z.boolean().default(false),
    can_delete: z.boolean().default(false),
    expires_at: timestampInput.nullable().default(null),
  })
  .meta({ id: 'AgentPermissionValues' });

export const modulePermissionCreation = modulePermissionValues
  .extend({ agent_name: z.enum(softwareModules) })
  .meta({ id: 'AgentPermissionCreation' });
