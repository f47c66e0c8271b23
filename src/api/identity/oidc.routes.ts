import { z } from 'zod';
import {
  beginOidcSignIn,
  callbackUrl,
  findProvider,
  finishOidcSignIn,
  oidcSignInSeconds,
} from '../../services/identity/sign-in/oidc-sign-in.service.ts';
import { userIdentities } from '../../services/identity/user-identity.queries.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { userLinkIdentity, userUnlinkIdentity } from '../../services/identity/user-identity.action.ts';
import { reply, route } from '../http/route.ts';
import { idParams, timestamp, uuid } from '../../platform/value-schemas.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { tokenPair } from './auth.schemas.ts';

const providerParams = z.object({ provider: z.string().regex(/^[a-z0-9-]{1,63}$/) });

/** The cookie that binds a sign-in to the browser that began it; {@link cookieValue} names it, too. */
const cookieName = 'castellan_oidc';

function browserCookie(value: string, maxAgeSeconds: number, isSecure: boolean): string {
  const attributes = `Path=/auth/oidc; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax`;
  return `${cookieName}=${value}; ${attributes}${isSecure ? '; Secure' : ''}`;
}

function cookieValue(header: string | null): string | null {
  return /(?:^|;\s*)castellan_oidc=([\w-]+)/.exec(header ?? '')?.[1] ?? null;
}

const startOidcSignIn = route({
  operationId: 'startOidcSignIn',
  method: 'get',
  path: '/auth/oidc/:provider/start',
  tag: 'auth',
  summary: 'Start a sign-in with an identity provider by redirecting the browser to it',
  permission: 'public',
  gate: 'none',
  params: providerParams,
  responses: { 302: null },
  problems: ['resource.not-found', 'request.rate-limited', 'service.unavailable'],
  handler: async ({ params, actor, deps, request }) => {
    await deps.rateLimits.publicToken.take(request.ip);
    const provider = findProvider(deps, params.provider);
    const { url, browser } = await beginOidcSignIn(deps, actor, provider);
    const isSecure = deps.env.PUBLIC_URL.startsWith('https:');
    return reply(302, null, { location: url, 'set-cookie': browserCookie(browser, oidcSignInSeconds, isSecure) });
  },
});

const completeOidcSignIn = route({
  operationId: 'completeOidcSignIn',
  method: 'get',
  path: '/auth/oidc/:provider/callback',
  tag: 'auth',
  summary: 'Callback to which the identity provider redirects the browser',
  description:
    'The first sign-in is linked to the active account with the same address, if the provider has verified it; later ' +
    'sign-ins are matched by issuer and subject.',
  permission: 'public',
  gate: 'none',
  params: providerParams,
  // Providers add parameters of their own, such as session_state.
  query: z.looseObject({ state: z.string().min(1).max(500), code: z.string().max(4000).optional() }),
  responses: { 200: tokenPair },
  problems: ['auth.oidc-refused', 'resource.not-found', 'service.unavailable'],
  handler: async ({ params, query, actor, deps, request }) => {
    await deps.rateLimits.publicToken.take(request.ip);
    const provider = findProvider(deps, params.provider);
    const returned = callbackUrl(deps, provider.name);
    for (const [name, value] of Object.entries(query)) {
      if (typeof value === 'string') returned.searchParams.set(name, value);
    }
    const browser = cookieValue(request.cookie);
    const tokens = await finishOidcSignIn(deps, actor, provider, { returned, browser });
    const isSecure = deps.env.PUBLIC_URL.startsWith('https:');
    return reply(200, tokens, { 'set-cookie': browserCookie('', 0, isSecure) });
  },
});

const identityView = z
  .object({ id: uuid, issuer: z.string(), subject: z.string(), created_at: timestamp })
  .meta({ id: 'UserIdentity' });

const getUserIdentities = route({
  operationId: 'getUserIdentities',
  method: 'get',
  path: '/admin/users/:id/identities',
  tag: 'user',
  summary: 'External accounts linked to a user',
  permission: 'user:read',
  gate: 'none',
  params: idParams,
  responses: { 200: z.object({ items: z.array(identityView) }) },
  problems: ['resource.not-found'],
  handler: async ({ params, actor, deps }) => ({ items: await userIdentities(deps.db, actor, params.id) }),
});

const identityParams = z.object({ id: uuid, identityId: uuid });

function linkPayload({ params, body }: { params: { id: string }; body: object }) {
  return { user_id: params.id, ...body };
}

function unlinkPayload({ params }: { params: z.output<typeof identityParams> }) {
  return { user_id: params.id, identity_id: params.identityId };
}

const linkUserIdentity = route({
  operationId: 'linkUserIdentity',
  method: 'post',
  path: '/admin/users/:id/identities',
  tag: 'user',
  summary: 'Link an external account to a user',
  description: 'Bearer tokens of trusted issuers are accepted for linked subjects only, never by e-mail.',
  permission: 'user:update',
  gate: { action: userLinkIdentity.name, payload: linkPayload },
  params: idParams,
  body: z.strictObject({ issuer: z.url().max(500), subject: z.string().min(1).max(255) }),
  responses: { 201: identityView, 202: ApprovalBody },
  problems: ['resource.not-found', 'resource.conflict', 'user.exceeds-own'],
  handler: (context) => {
    const change = userLinkIdentity.prepare(linkPayload(context));
    return context.change(async (tx) => reply(201, await runGatedAction(tx, context, change)));
  },
});

const unlinkUserIdentity = route({
  operationId: 'unlinkUserIdentity',
  method: 'delete',
  path: '/admin/users/:id/identities/:identityId',
  tag: 'user',
  summary: 'Unlink an external account from a user and end all sessions of the user',
  permission: 'user:update',
  gate: { action: userUnlinkIdentity.name, payload: unlinkPayload },
  params: identityParams,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['resource.not-found', 'user.exceeds-own', 'role.own-rights'],
  handler: (context) => {
    const change = userUnlinkIdentity.prepare(unlinkPayload(context));
    return context.change(async (tx) => {
      await runGatedAction(tx, context, change);
      return reply(204);
    });
  },
});

export const oidcRoutes = [
  startOidcSignIn,
  completeOidcSignIn,
  getUserIdentities,
  linkUserIdentity,
  unlinkUserIdentity,
];
