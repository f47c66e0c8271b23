import { sql } from 'kysely';
import { z } from 'zod';
import { revokeSessions } from '../../services/identity/revoke-sessions.service.ts';
import { rightsOf } from '../../services/identity/effective-rights.service.ts';
import { superAdminCode } from '../../domain/identity/system-roles.ts';
import { query as select } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { notifySessionsEnded } from '../../services/identity/account-notification.service.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { route } from '../http/route.ts';
import { idParams, timestamp } from '../../platform/value-schemas.ts';

const sessionView = z
  .object({
    id: z.uuid(),
    user_id: z.uuid(),
    method: z.enum(['password', 'oidc', 'bearer']),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    created_at: timestamp,
    last_used_at: timestamp.describe('When its token was last renewed'),
    expires_at: timestamp,
    mfa_at: timestamp.nullable().describe('The last factor proof of this session'),
    revoked_at: timestamp.nullable(),
    revoke_reason: z.string().nullable(),
    is_living: z.boolean(),
    is_current: z.boolean().describe('The session of this very call'),
  })
  .meta({ id: 'Session' });

const getUserSessions = route({
  operationId: 'getUserSessions',
  method: 'get',
  path: '/admin/users/:id/sessions',
  tag: 'session',
  summary: 'Sessions of a person, newest first',
  permission: 'user:read',
  gate: 'none',
  params: idParams,
  query: z.strictObject({
    ...pageQuery,
    state: z.enum(['living', 'all']).default('living').describe('Living ones, or ended ones too'),
  }),
  responses: { 200: pageOf(sessionView) },
  problems: ['resource.not-found'],
  handler: async ({ params, query, actor, deps }) => {
    const isLiving = sql<boolean>`(revoked_at is null and expires_at > now())`;
    const [known, rows] = await readAll(deps.db, actor, [
      select.selectFrom('users').where('id', '=', params.id).select('id'),
      select
        .selectFrom('sessions')
        .where('user_id', '=', params.id)
        .$if(query.state === 'living', (q) => q.where(isLiving))
        .$call(newestFirst(query))
        .select(['id', 'user_id', 'method', 'ip', 'user_agent', 'created_at', 'last_used_at', 'expires_at', 'mfa_at'])
        .select(['revoked_at', 'revoke_reason', isLiving.as('is_living')]),
    ] as const);
    if (known.length === 0) throw notFound('user');
    const present = (row: (typeof rows)[number]) => ({ ...row, is_current: row.id === actor.session_id });
    return newestPage(rows, query.limit, present);
  },
});

const forceLogoutUser = route({
  operationId: 'forceLogoutUser',
  method: 'post',
  path: '/admin/users/:id/force-logout',
  tag: 'session',
  summary: 'End every session of a person',
  description:
    'Access tokens, refresh tokens and foreign bearer tokens are refused within a second on every process. Channels that ' +
    'take `session.revoked` are told, so that connected applications end their own sessions.',
  permission: 'user:force-logout',
  gate: 'mfa',
  params: idParams,
  responses: { 200: z.object({ sessions_ended: z.number().int() }) },
  problems: ['resource.not-found', 'user.exceeds-own'],
  handler: async ({ params, actor, deps, unitOfWork }) => {
    const answer = await unitOfWork(async (tx) => {
      const user = await tx.sql.selectFrom('users').where('id', '=', params.id).select('id').executeTakeFirst();
      if (user === undefined) throw notFound('user');
      // Support staff may throw anybody out but those who run the system (S4-26).
      const isSuperAdmin = (await rightsOf(tx, params.id)).roles.includes(superAdminCode);
      if (isSuperAdmin && !actor.roles.includes(superAdminCode)) {
        throw new Problem({ code: 'user.exceeds-own', detail: 'Only a super admin ends the sessions of one.' });
      }
      const ended = await revokeSessions(tx, { user_id: params.id }, 'forced');
      tx.audit({
        event: 'session.force-logout',
        action: 'logout',
        resource_type: 'user',
        resource_id: params.id,
        new_values: { sessions_ended: ended },
      });
      return { sessions_ended: ended.length };
    });
    await notifySessionsEnded(deps, actor, params.id, 'forced');
    return answer;
  },
});

export const sessionRoutes = [getUserSessions, forceLogoutUser];
