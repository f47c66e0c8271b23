import { z } from 'zod';
import { factorCodePattern } from '../../domain/identity/mfa.ts';
import { maxPasswordLength } from '../../platform/security/password.ts';
import { notifyOwner } from '../../services/identity/account-notification.service.ts';
import { factorOwner } from '../../services/identity/sign-in/second-factor.service.ts';
import {
  beginTotpSetup,
  confirmTotp,
  disableTotp,
  renewRecoveryCodes,
  assertPassword,
} from '../../services/identity/sign-in/totp-enrolment.service.ts';
import { totpStatus } from '../../services/identity/sign-in/totp-status.queries.ts';
import { reply, route } from '../http/route.ts';

const password = z
  .string()
  .max(maxPasswordLength)
  .optional()
  .describe('The current password; omitted only by users who sign in through an identity provider');
const code = z.string().max(19).regex(factorCodePattern, 'must be six digits or a recovery code');

const TotpStatusView = z
  .object({
    is_enrolled: z.boolean(),
    confirmed_at: z.iso.datetime().nullable(),
    recovery_codes_left: z.int(),
  })
  .meta({ id: 'TotpStatus' });

const TotpSetupView = z
  .object({ secret: z.string().describe('Base32'), otpauth_uri: z.string().describe('Show it as a QR code') })
  .meta({ id: 'TotpSetup' });

const RecoveryCodesView = z
  .object({ recovery_codes: z.array(z.string()).describe('Shown only once; each works once') })
  .meta({ id: 'RecoveryCodes' });

const getTotpStatus = route({
  operationId: 'getTotpStatus',
  method: 'get',
  path: '/auth/totp',
  aliases: ['/api/v1/auth/totp'],
  tag: 'Auth',
  summary: 'Show whether an authenticator app is enabled',
  permission: 'authenticated',
  gate: 'none',
  responses: { 200: TotpStatusView },
  handler: ({ deps, actor }) => totpStatus(deps.db, factorOwner(actor)),
});

const setUpTotp = route({
  operationId: 'setUpTotp',
  method: 'post',
  path: '/auth/totp/setup',
  aliases: ['/api/v1/auth/totp/setup'],
  tag: 'Auth',
  summary: 'Start setting up an authenticator app',
  description:
    'Takes a code mailed to the address of the account, where it has one: whoever has made the account may know its first ' +
    'password, and would otherwise set up an app of their own.',
  permission: 'authenticated',
  gate: 'own-factor',
  unproven: ['password'],
  idempotency: false,
  body: z.strictObject({ password }),
  responses: { 201: TotpSetupView },
  problems: ['mfa.required', 'mfa.already-enrolled', 'auth.password-refused', 'request.rate-limited', 'service.unavailable'],
  handler: async ({ deps, actor, body, change }) => {
    const owner = factorOwner(actor);
    await assertPassword(deps, owner, body.password);
    return change(async (tx) => reply(201, await beginTotpSetup(tx, deps.keyring, owner)));
  },
});

const verifyTotp = route({
  operationId: 'verifyTotp',
  method: 'post',
  path: '/auth/totp/verify',
  aliases: ['/api/v1/auth/totp/verify'],
  tag: 'Auth',
  summary: 'Enable the authenticator app with a first code',
  permission: 'authenticated',
  gate: 'none',
  idempotency: false,
  body: z.strictObject({ code: z.string().regex(/^\d{6}$/, 'must be six digits') }),
  responses: { 200: RecoveryCodesView },
  problems: ['mfa.not-enrolled', 'mfa.code-refused', 'mfa.locked', 'service.unavailable'],
  handler: async ({ deps, actor, body }) => {
    const owner = factorOwner(actor);
    const recovery_codes = await confirmTotp(deps, owner, body.code);
    await notifyOwner(deps, owner, 'totp-enabled');
    return { recovery_codes };
  },
});

const disableTotpRoute = route({
  operationId: 'disableTotp',
  method: 'post',
  path: '/auth/totp/disable',
  aliases: ['/api/v1/auth/totp/disable'],
  tag: 'Auth',
  summary: 'Disable the authenticator app, with password and code',
  permission: 'authenticated',
  gate: 'none',
  idempotency: false,
  body: z.strictObject({ password, code }),
  responses: { 204: null },
  problems: ['auth.password-refused', 'mfa.code-refused', 'mfa.locked', 'request.rate-limited', 'service.unavailable'],
  handler: async ({ deps, actor, body }) => {
    const owner = factorOwner(actor);
    await assertPassword(deps, owner, body.password);
    await disableTotp(deps, owner, body.code);
    await notifyOwner(deps, owner, 'totp-disabled');
  },
});

const renewRecoveryCodesRoute = route({
  operationId: 'renewRecoveryCodes',
  method: 'post',
  path: '/auth/totp/recovery-codes',
  aliases: ['/api/v1/auth/totp/recovery-codes'],
  tag: 'Auth',
  summary: 'Replace the recovery codes; the old ones become invalid',
  permission: 'authenticated',
  gate: 'none',
  idempotency: false,
  body: z.strictObject({ password, code }),
  responses: { 200: RecoveryCodesView },
  problems: ['auth.password-refused', 'mfa.code-refused', 'mfa.locked', 'request.rate-limited', 'service.unavailable'],
  handler: async ({ deps, actor, body }) => {
    const owner = factorOwner(actor);
    await assertPassword(deps, owner, body.password);
    const recovery_codes = await renewRecoveryCodes(deps, owner, body.code);
    await notifyOwner(deps, owner, 'recovery-codes-renewed');
    return { recovery_codes };
  },
});

export const totpRoutes = [getTotpStatus, setUpTotp, verifyTotp, disableTotpRoute, renewRecoveryCodesRoute];
