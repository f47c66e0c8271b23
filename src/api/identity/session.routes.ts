import { z } from 'zod';
import { idParams, timestamp, uuid } from '../../platform/value-schemas.ts';
import { notifySessionsEnded } from '../../services/identity/account-notification.service.ts';
import { userSessions } from '../../services/identity/sign-in/session.queries.ts';
import { forceLogout } from '../../services/identity/sign-in/session.service.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { route } from '../http/route.ts';

const sessionView = z
  .object({
    id: uuid,
    user_id: uuid,
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
    is_current: z.boolean().describe('Whether this call belongs to the session'),
  })
  .meta({ id: 'Session' });

const getUserSessions = route({
  operationId: 'getUserSessions',
  method: 'get',
  path: '/admin/users/:id/sessions',
  tag: 'session',
  summary: 'Sessions of a user, newest first',
  permission: 'user:read',
  gate: 'none',
  params: idParams,
  query: z.strictObject({
    ...pageQuery,
    state: z.enum(['living', 'all']).default('living').describe('`living`: active sessions only'),
  }),
  responses: { 200: pageOf(sessionView) },
  problems: ['resource.not-found'],
  handler: async ({ params, query, actor, deps }) => {
    const sessions = await userSessions(deps.db, actor, params.id, query);
    return newestPage(sessions, query.limit, (row) => ({ ...row, is_current: row.id === actor.session_id }));
  },
});

const forceLogoutUser = route({
  operationId: 'forceLogoutUser',
  method: 'post',
  path: '/admin/users/:id/force-logout',
  tag: 'session',
  summary: 'End all sessions of a user',
  description:
    'Every process refuses access tokens, refresh tokens and bearer tokens of external issuers within a second. ' +
    'Channels that subscribe to `session.revoked` are notified, so that connected applications end their own ' +
    'sessions.',
  permission: 'user:force-logout',
  gate: 'mfa',
  params: idParams,
  responses: { 200: z.object({ sessions_ended: z.number().int() }) },
  problems: ['resource.not-found', 'user.exceeds-own'],
  handler: ({ params, actor, deps, change }) =>
    change(async (tx) => {
      const sessions_ended = await forceLogout(tx, params.id);
      tx.after(() => notifySessionsEnded(deps, actor, params.id, 'forced'));
      return { sessions_ended };
    }),
});

export const sessionRoutes = [getUserSessions, forceLogoutUser];
