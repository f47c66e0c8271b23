import { z } from 'zod';
import { moduleGrantStates, softwareModules } from '../../domain/identity/module-permission.ts';
import { pageQuery } from '../../platform/database/keyset-page.ts';
import { clockValues, timestampInput, timestamp, uuid } from '../../platform/value-schemas.ts';

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
    is_expired: z.boolean().describe('As of now; an expired permission grants nothing').register(clockValues),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.number().int(),
  })
  .meta({ id: 'AgentPermission' });

/** The same in the list of all people's. */
export const listedModulePermission = modulePermissionView
  .extend({ user_name: z.string(), granted_by_name: z.string().nullable().describe('null when nobody is known') })
  .meta({ id: 'ListedAgentPermission' });

/** What the list of all people's permissions is narrowed to. */
export const modulePermissionQuery = z.strictObject({
  ...pageQuery,
  agent_name: z.enum(softwareModules).optional(),
  user_id: uuid.optional(),
  state: z
    .enum(moduleGrantStates)
    .optional()
    .describe('`active`: in force, including `expiring`: those of them that end within three days; `expired`: no longer'),
});

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

/** Until when a permission is to be extended. */
export const modulePermissionExtension = z
  .strictObject({
    expires_at: timestampInput.nullable().describe('Later than the present end, and in the future; null takes the end away'),
  })
  .meta({ id: 'AgentPermissionExtension' });

export const modulePermissionCreation = modulePermissionValues
  .extend({ agent_name: z.enum(softwareModules) })
  .meta({ id: 'AgentPermissionCreation' });
