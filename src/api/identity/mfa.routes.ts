import { z } from 'zod';
import { factorCodePattern } from '../../domain/identity/mfa.ts';
import { sha256Hex, uuid } from '../../platform/value-schemas.ts';
import { answerChallenge, openChallenge } from '../../services/identity/sign-in/mfa-challenge.service.ts';
import { factorOwner } from '../../services/identity/sign-in/second-factor.service.ts';
import { route } from '../http/route.ts';

const MfaChallengeView = z
  .object({
    challenge_id: uuid,
    action: z.string(),
    payload_digest: z.string(),
    method: z.enum(['totp', 'email']).describe('An authenticator app (or a recovery code), or a code sent by e-mail'),
    expires_at: z.iso.datetime(),
    attempts_left: z.int(),
    sent_to: z.string().nullable().describe('Where the code was sent, masked'),
  })
  .meta({ id: 'MfaChallenge' });

const MfaTokenView = z
  .object({
    mfa_token: z
      .string()
      .describe('Send in the header X-MFA-Token of the repeated request, with the same input and If-Match; works once'),
    expires_in: z.int().describe('Seconds'),
  })
  .meta({ id: 'MfaToken' });

const requestMfaCode = route({
  operationId: 'requestMFACode',
  method: 'post',
  path: '/admin/mfa/request',
  tag: 'MFA',
  summary: 'Request a second-factor challenge for one action with one payload',
  description:
    'Send the action and the payload digest that a 403 `mfa.required` response named. Users with an authenticator ' +
    'app answer with its code; others get six digits by e-mail. A challenge is valid for five minutes and five ' +
    'attempts.',
  permission: 'authenticated',
  gate: 'none',
  idempotency: false,
  body: z.strictObject({
    action: z.string().regex(/^[A-Za-z][A-Za-z0-9._-]{0,99}$/),
    payload_digest: sha256Hex,
  }),
  responses: { 201: MfaChallengeView },
  problems: ['mfa.not-enrolled', 'request.rate-limited', 'service.unavailable'],
  handler: ({ deps, actor, body }) => openChallenge(deps, factorOwner(actor), body),
});

const verifyMfaCode = route({
  operationId: 'verifyMFACode',
  method: 'post',
  path: '/admin/mfa/verify',
  tag: 'MFA',
  summary: 'Answer a challenge and get the token for repeating the request',
  description:
    'Each code works once. Five wrong codes lock the challenge; ten within an hour, on any route, lock the user.',
  permission: 'authenticated',
  gate: 'none',
  idempotency: false,
  body: z.strictObject({
    challenge_id: uuid,
    code: z.string().max(19).regex(factorCodePattern, 'must be six digits or a recovery code'),
  }),
  responses: { 200: MfaTokenView },
  problems: ['mfa.code-refused', 'mfa.locked', 'mfa.challenge-closed', 'resource.not-found', 'service.unavailable'],
  handler: ({ deps, actor, body }) => answerChallenge(deps, factorOwner(actor), body),
});

export const mfaRoutes = [requestMfaCode, verifyMfaCode];
