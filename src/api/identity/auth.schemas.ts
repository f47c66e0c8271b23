import { z } from 'zod';
import { factorCodePattern } from '../../domain/identity/mfa.ts';
import { email, passwordInput, phoneNumber } from '../../platform/value-schemas.ts';

/** The tokens of a session, as every way of signing in answers. */
export const tokenPair = z
  .object({
    access_token: z.string().describe('Send as Authorization: Bearer …'),
    token_type: z.literal('Bearer'),
    expires_in: z.number().int().describe('Seconds until the access token expires'),
    refresh_token: z.string().describe('Can be exchanged once, at /auth/refresh, for a new pair'),
    session_id: z.uuid(),
  })
  .meta({ id: 'TokenPair' });

export const loginBody = z
  .strictObject({
    phone_number: phoneNumber.optional(),
    email: email.optional(),
    password: passwordInput,
    code: z
      .string()
      .regex(factorCodePattern)
      .optional()
      .describe('TOTP or recovery code, if the account requires one at sign-in'),
    tenant_domain: z.string().max(253).optional().describe('Needed when the same address has accounts in several tenants'),
  })
  .refine((body) => (body.phone_number === undefined) !== (body.email === undefined), {
    message: 'Give either phone_number or email.',
    path: ['phone_number'],
  })
  .meta({ id: 'Login' });
