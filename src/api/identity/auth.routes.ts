import { z } from 'zod';
import { refreshSession, signOut as endSession } from '../../services/identity/sign-in/session.service.ts';
import { signInWithPassword } from '../../services/identity/sign-in/sign-in.service.ts';
import { Problem } from '../../platform/problem.ts';
import { route } from '../http/route.ts';
import { approvalViewOf } from '../../services/approval/approval-request.service.ts';
import { identifyFactorOwner, requestFactorReset } from '../../services/identity/sign-in/factor-recovery.service.ts';
import { userResetFactor } from '../../services/identity/user-reset-factor.action.ts';
import { openingProblems } from '../approval/approval.schemas.ts';
import { commandOfAccount } from '../http/request-command.ts';
import { factorRecovery, factorRecoveryBody, loginBody, tokenPair } from './auth.schemas.ts';

const signIn = route({
  operationId: 'login',
  method: 'post',
  path: '/auth/login',
  aliases: ['/api/v1/auth/login'],
  tag: 'auth',
  summary: 'Sign in with phone or e-mail and password',
  permission: 'public',
  gate: 'none',
  body: loginBody,
  responses: { 200: tokenPair },
  problems: ['auth.invalid-credentials'],
  idempotency: false,
  handler: async ({ body, deps, actor }) => {
    const { phone_number, email = '', password, code, tenant_domain = null } = body;
    try {
      const tokens = await signInWithPassword(deps, actor, {
        identifier: phone_number ?? email,
        password,
        code,
        tenant_domain,
      });
      deps.metrics.signIns.inc({ outcome: 'success' });
      return tokens;
    } catch (error) {
      deps.metrics.signIns.inc({ outcome: outcomeOf(error) });
      throw error;
    }
  },
});

const requestFactorRecovery = route({
  operationId: 'requestFactorRecovery',
  method: 'post',
  path: '/auth/factor-recovery',
  aliases: ['/api/v1/auth/factor-recovery'],
  tag: 'auth',
  summary: 'Ask, with the password, to have the lost second factor of the own account removed',
  description:
    'For whoever has neither the authenticator app nor a recovery code. It opens an approval request in the name of the ' +
    'account; one decider who is apart from it approves. Then app and recovery codes are removed, all sessions end, and the ' +
    'password alone signs in until a new app is set up. While a request is open, the same call shows it and opens no other. ' +
    'A wrong password is answered, and counted, as at sign-in.',
  permission: 'public',
  gate: 'none',
  resolvesGateOf: userResetFactor.name,
  body: factorRecoveryBody,
  responses: { 202: factorRecovery },
  problems: ['auth.invalid-credentials', 'auth.password-refused', 'mfa.not-enrolled', ...openingProblems],
  idempotency: false,
  handler: async ({ body, deps, actor }) => {
    const { phone_number, email = '', password, tenant_domain = null, reason } = body;
    const identification = { identifier: phone_number ?? email, password, tenant_domain };
    const owner = await identifyFactorOwner(deps, actor, identification).catch((error: unknown) => {
      // Whoever guesses passwords here is counted with those who guess at sign-in.
      deps.metrics.signIns.inc({ outcome: outcomeOf(error) });
      throw error;
    });
    const command = commandOfAccount(deps, owner, 'requestFactorRecovery');
    const request = await requestFactorReset(deps, owner, reason, (send) => command.throughWorkflow(send, approvalViewOf));
    const { id: approval_id, status, review_due_at, execution_due_at } = request;
    return { approval_id, status, review_due_at, execution_due_at };
  },
});

/** Label of the counter of sign-ins (S1-45). */
function outcomeOf(error: unknown): 'refused' | 'rate_limited' | 'error' {
  if (!(error instanceof Problem)) return 'error';
  if (error.code === 'request.rate-limited') return 'rate_limited';
  return error.status < 500 ? 'refused' : 'error';
}

const refresh = route({
  operationId: 'refresh',
  method: 'post',
  path: '/auth/refresh',
  aliases: ['/api/v1/auth/refresh'],
  tag: 'auth',
  summary: 'Exchange a refresh token for a new pair',
  description: 'A refresh token works once. A second use ends the session, because somebody else may have the token.',
  permission: 'public',
  gate: 'none',
  body: z.strictObject({ refresh_token: z.string().min(1).max(200) }),
  responses: { 200: tokenPair },
  problems: ['auth.refresh-refused'],
  idempotency: false,
  handler: ({ body, deps, actor }) => refreshSession(deps, actor, body.refresh_token),
});

const signOut = route({
  operationId: 'logout',
  method: 'post',
  path: '/auth/logout',
  aliases: ['/api/v1/auth/logout'],
  tag: 'auth',
  summary: 'End this session',
  permission: 'authenticated',
  gate: 'none',
  responses: { 204: null },
  idempotency: false,
  handler: ({ change }) => change(endSession),
});

export const authRoutes = [signIn, requestFactorRecovery, refresh, signOut];
