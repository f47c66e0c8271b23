import { z } from 'zod';
import { refreshSession, signOut as endSession } from '../../services/identity/sign-in/session.service.ts';
import { signInWithPassword } from '../../services/identity/sign-in/sign-in.service.ts';
import { Problem } from '../../platform/problem.ts';
import { route } from '../http/route.ts';
import { loginBody, tokenPair } from './auth.schemas.ts';

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

export const authRoutes = [signIn, refresh, signOut];
