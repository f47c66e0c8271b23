import { sql } from 'kysely';
import { z } from 'zod';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { factorCodePattern } from '../../domain/identity/mfa.ts';
import { revokeSessions } from '../../services/identity/revoke-sessions.service.ts';
import { prepared } from '../../entities/prepared-query.ts';
import { query } from '../../entities/kysely-schema.ts';
import { auditRefusal } from '../../platform/audit/audit-refusal.ts';
import { Problem } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { checkSignInCode } from '../../services/identity/sign-in-code.service.ts';
import { openSession, refreshSession, tokenPairOf } from '../../services/identity/session.service.ts';
import type { TokenPair } from '../../services/identity/session.service.ts';
import type { ApiDeps } from '../deps.ts';
import { route } from '../http/route.ts';
import { email, passwordInput, phoneNumber } from '../../platform/value-schemas.ts';

/** The tokens of a session, as every way of signing in answers. */
export const tokenPair = z
  .object({
    access_token: z.string().describe('Goes into Authorization: Bearer …'),
    token_type: z.literal('Bearer'),
    expires_in: z.number().int().describe('Seconds until the access token ends'),
    refresh_token: z.string().describe('Exchanged once, at /auth/refresh, for the next pair'),
    session_id: z.uuid(),
  })
  .meta({ id: 'TokenPair' });

const loginBody = z
  .strictObject({
    phone_number: phoneNumber.optional(),
    email: email.optional(),
    password: passwordInput,
    code: z
      .string()
      .regex(factorCodePattern)
      .optional()
      .describe('TOTP or recovery code, where the account asks for one at sign-in'),
    tenant_domain: z.string().max(253).optional().describe('Needed when the same address has accounts in several tenants'),
  })
  .refine((body) => (body.phone_number === undefined) !== (body.email === undefined), {
    message: 'Give either phone_number or email.',
    path: ['phone_number'],
  })
  .meta({ id: 'Login' });

type Login = z.infer<typeof loginBody>;

/** One answer for every reason, so that it tells nobody which accounts exist (S1-62). */
function invalidCredentials(): Problem {
  return new Problem({
    code: 'auth.invalid-credentials',
    detail: 'Check the phone number or e-mail address and the password, and give the TOTP code if the account asks for one.',
  });
}

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
    try {
      const tokens = await signInWithPassword(deps, actor, body);
      deps.metrics.signIns.inc({ outcome: 'success' });
      return tokens;
    } catch (error) {
      deps.metrics.signIns.inc({ outcome: outcomeOf(error) });
      throw error;
    }
  },
});

function outcomeOf(error: unknown): 'refused' | 'rate_limited' | 'error' {
  if (!(error instanceof Problem)) return 'error';
  if (error.code === 'request.rate-limited') return 'rate_limited';
  return error.status < 500 ? 'refused' : 'error';
}

/** The living accounts with this address or number; more than one only without a tenant. */
const findAccounts = prepared<{ identifier: string; tenant_domain: string | null }>()((param) => ({
  compile: () =>
    sql<{ tenant_id: string; user_id: string; password_hash: string | null; asks_for_code: boolean }>`
      select tenant_id, user_id, password_hash, asks_for_code
      from auth_find_users(${param('identifier')}, ${param('tenant_domain')})`.compile(query),
}));

async function signInWithPassword(deps: ApiDeps, nobody: Actor, body: Login): Promise<TokenPair> {
  const identifier = body.phone_number ?? body.email ?? '';
  await deps.rateLimits.signInAddress.take(nobody.ip ?? '');
  // Together, because the count of a guess does not hang on whose account it is.
  const [found] = await Promise.all([
    read(deps.db, nobody, findAccounts({ identifier, tenant_domain: body.tenant_domain ?? null })),
    deps.rateLimits.signInAccount.take(identifier),
  ]);
  // Two matches without a tenant are as good as none: guessing one would sign people in to the wrong company.
  const user = found.length === 1 ? found[0] : undefined;
  const matches = await deps.passwords.verify(user?.password_hash ?? null, body.password);
  const actor: Actor = { ...nobody, tenant_id: user?.tenant_id ?? defaultTenantId };
  if (user === undefined || !matches || (user.asks_for_code && !(await checkSignInCode(deps, actor, user.user_id, body.code)))) {
    await auditRefusal(deps.db, actor, {
      event: 'session.open',
      action: 'login',
      resource_type: 'user',
      resource_id: user?.user_id ?? null,
      reason: 'auth.invalid-credentials',
    });
    throw invalidCredentials();
  }
  await deps.rateLimits.signInAccount.giveBack(identifier);
  const { user_id, tenant_id } = user;
  const session = await unitOfWork(deps.db, { ...actor, kind: 'user', user_id }, async (tx) => {
    const opened = openSession(tx, deps, { user_id, method: 'password' });
    tx.send(tx.sql.updateTable('users').set({ last_sign_in_at: sql<string>`now()` }).where('id', '=', user_id));
    tx.audit({
      event: 'session.open',
      action: 'login',
      resource_type: 'session',
      resource_id: opened.session_id,
      new_values: { user_id, method: 'password' },
    });
    return opened;
  });
  return tokenPairOf(deps, { user_id, tenant_id }, session);
}

const refresh = route({
  operationId: 'refresh',
  method: 'post',
  path: '/auth/refresh',
  aliases: ['/api/v1/auth/refresh'],
  tag: 'auth',
  summary: 'Exchange a refresh token for a new pair',
  description: 'A refresh token works once. Using it a second time ends the session: somebody else has it.',
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
  handler: ({ actor, unitOfWork: inTransaction }) =>
    inTransaction(async (tx) => {
      await revokeSessions(tx, { session_id: actor.session_id ?? '' }, 'sign_out');
      tx.audit({ event: 'session.end', action: 'logout', resource_type: 'session', resource_id: actor.session_id });
    }),
});

export const authRoutes = [signIn, refresh, signOut];
