import { completeAccountLink, openAccountLink, resolveAccountLink } from '../../services/identity/account-link/account-link.service.ts';
import { reply, route } from '../http/route.ts';
import { accountLinkCompletion, accountLinkOpening, accountLinkView, completedAccountLink } from './account-link.schemas.ts';

const openLink = route({
  operationId: 'openAccountLink',
  method: 'post',
  path: '/auth/account-links/open',
  aliases: ['/api/v1/auth/account-links/open'],
  tag: 'auth',
  summary: 'Open a one-time link to an account and get a secret for an authenticator app',
  description: 'A token that is wrong, was used or has expired is answered with 410 alike.',
  permission: 'public',
  gate: 'none',
  idempotency: false,
  body: accountLinkOpening,
  responses: { 200: accountLinkView },
  problems: ['account.link-dead', 'request.rate-limited', 'service.unavailable'],
  handler: async ({ actor, body, deps }) => {
    const access = await resolveAccountLink(deps, actor, body.token);
    return reply(200, await openAccountLink(deps, access), access.headers);
  },
});

const completeLink = route({
  operationId: 'completeAccountLink',
  method: 'post',
  path: '/auth/account-links/complete',
  aliases: ['/api/v1/auth/account-links/complete'],
  tag: 'auth',
  summary: 'Use a one-time link: choose the password and confirm the authenticator app',
  description: 'It works once. Earlier factors, recovery codes and sessions of the account end.',
  permission: 'public',
  gate: 'none',
  // The link works once by itself, and callers without an account would share their idempotency keys.
  idempotency: false,
  body: accountLinkCompletion,
  responses: { 200: completedAccountLink },
  problems: ['account.link-dead', 'mfa.not-enrolled', 'mfa.code-refused', 'request.rate-limited', 'service.unavailable'],
  handler: async ({ actor, body, deps }) => {
    const { token, ...completion } = body;
    const access = await resolveAccountLink(deps, actor, token);
    return reply(200, await completeAccountLink(deps, access, completion), access.headers);
  },
});

/** What the holder of a one-time link may do without being signed in (T-36). */
export const accountLinkRoutes = [openLink, completeLink];
