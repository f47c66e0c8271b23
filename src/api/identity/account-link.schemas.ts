import { z } from 'zod';
import { accountLinkPurposes } from '../../entities/identity/account-link.entity.ts';
import { passwordInput, timestamp } from '../../platform/value-schemas.ts';

/** In the body, so that no log of addresses can hold it. Any text passes as far as the rate limiter. */
const token = z.string().max(200).describe('What stands behind # in the address of the link');

/** How the holder of a link opens it. */
export const accountLinkOpening = z.strictObject({ token }).meta({ id: 'AccountLinkOpening' });

/** How the holder of a link uses it. */
export const accountLinkCompletion = z
  .strictObject({
    token,
    password: passwordInput,
    code: z.string().regex(/^\d{6}$/, 'must be six digits').describe('A code of the app that has the secret'),
  })
  .meta({ id: 'AccountLinkCompletion' });

/** An opened link. */
export const accountLinkView = z
  .object({
    purpose: z.enum(accountLinkPurposes),
    email: z.string().nullable(),
    full_name: z.string(),
    tenant: z.object({ name: z.string(), domain: z.string() }),
    expires_at: timestamp,
    totp: z.object({
      secret: z.string().describe('Base32; a new one each time the link is opened'),
      otpauth_uri: z.string().describe('Opens an authenticator app on the same device'),
    }),
  })
  .meta({ id: 'AccountLink' });

/** The account after its link was used. */
export const completedAccountLink = z
  .object({
    email: z.string().nullable(),
    tenant_domain: z.string(),
    recovery_codes: z.array(z.string()).describe('Shown only once; each works once'),
  })
  .meta({ id: 'CompletedAccountLink' });
