import { z } from 'zod';
import { environmentNames } from '../../domain/shared/environment.ts';
import { allPermissions } from '../../domain/identity/permissions.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { lineText, timestamp, timestampInput, uuid } from '../../platform/value-schemas.ts';

/** A service token as it is shown. */
export const serviceTokenView = z
  .object({
    id: uuid,
    name: z.string(),
    last4: z.string().describe('Last characters of the token, to tell tokens apart'),
    environment: z.enum(environmentNames).nullable(),
    permissions: z.array(z.string()),
    created_by: uuid.nullable(),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    revoked_at: timestamp.nullable(),
    revoked_by: uuid.nullable(),
  })
  .meta({ id: 'ServiceToken' });

/** A service token with its secret, as it is shown once. */
export const newServiceTokenView = serviceTokenView.extend({ token: z.string() }).meta({ id: 'NewServiceToken' });

export const serviceTokenCreation = z.strictObject({
  name: lineText(100),
  environment: z.enum(environmentNames).nullable().default(null).describe('Environment that the token reads'),
  permissions: z
    .array(z.enum(allPermissions as [Permission, ...Permission[]]))
    .min(1)
    .max(20),
  expires_at: timestampInput.nullable().default(null),
});
