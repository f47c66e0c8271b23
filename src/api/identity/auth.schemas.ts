import { z } from 'zod';
import { approvalStatuses } from '../../domain/approval/approval.ts';
import { factorCodePattern } from '../../domain/identity/mfa.ts';
import { email, passwordInput, phoneNumber, timestamp, uuid } from '../../platform/value-schemas.ts';
import { decisionReason } from '../approval/approval.schemas.ts';

/** The tokens of a session, as every way of signing in answers. */
export const tokenPair = z
  .object({
    access_token: z.string().describe('Send as Authorization: Bearer …'),
    token_type: z.literal('Bearer'),
    expires_in: z.number().int().describe('Seconds until the access token expires'),
    refresh_token: z.string().describe('Can be exchanged once, at /auth/refresh, for a new pair'),
    session_id: uuid,
  })
  .meta({ id: 'TokenPair' });

/** An account as its owner names it, with the password. */
const identification = {
  phone_number: phoneNumber.optional(),
  email: email.optional(),
  password: passwordInput,
  tenant_domain: z.string().max(253).optional().describe('Needed when the same address has accounts in several tenants'),
};

const hasOneName = (body: { phone_number?: string | undefined; email?: string | undefined }) =>
  (body.phone_number === undefined) !== (body.email === undefined);

const oneName = { message: 'Give either phone_number or email.', path: ['phone_number'] };

export const loginBody = z
  .strictObject({
    ...identification,
    code: z
      .string()
      .regex(factorCodePattern)
      .optional()
      .describe('TOTP or recovery code, if the account requires one at sign-in'),
  })
  .refine(hasOneName, oneName)
  .meta({ id: 'Login' });

export const factorRecoveryBody = z
  .strictObject({
    ...identification,
    reason: decisionReason.describe('What happened to the second factor, for whoever decides'),
  })
  .refine(hasOneName, oneName)
  .meta({ id: 'FactorRecoveryRequest' });

/** A request to have a lost factor removed, as somebody sees it who has given no more than the password. */
export const factorRecovery = z
  .object({
    approval_id: uuid,
    status: z.enum(approvalStatuses).describe('`pending` until somebody has decided; `approved` until it is carried out'),
    review_due_at: timestamp.describe('Until when it can be decided'),
    execution_due_at: timestamp.nullable(),
  })
  .meta({ id: 'FactorRecovery' });
