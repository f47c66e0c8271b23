import type { ParameterizedContext } from 'koa';
import { systemActor, defaultTenantId } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { Problem } from '../../platform/problem.ts';
import { rateLimitHeaders } from '../../platform/security/rate-limit.ts';
import type { ApiDeps } from '../deps.ts';
import type { RequestState } from './request-context.ts';
import type { RequestInfo } from './request-info.ts';
import type { Route } from './route.ts';
import { findBearerSession } from '../../services/identity/sign-in/external-token-session.service.ts';
import { isServiceToken } from '../../services/identity/sign-in/service-token-format.ts';
import type { ServiceActor } from '../../services/identity/sign-in/service-token-cache.ts';

const bearer = /^Bearer ([\w.~+/=-]+)$/i;

/**
 * Finds out who calls, and counts the call against its limit.
 *
 * Public routes get an anonymous actor of the default tenant; they look up what they need through the tested list of unscoped
 * functions.
 *
 * @throws Problem `auth.required` for a missing, bad, expired or revoked token alike.
 */
export async function authenticate(
  deps: ApiDeps,
  route: Route,
  ctx: ParameterizedContext<RequestState>,
): Promise<Actor> {
  const { info } = ctx.state;
  const actor = route.permission === 'public' ? anonymousActor(info) : await identify(deps, ctx.get('authorization'), info);
  ctx.state.principal = actor.user_id ?? actor.session_id ?? info.ip;
  if (route.rateLimit !== false) {
    ctx.set(rateLimitHeaders(await deps.rateLimits.general.take(ctx.state.principal)));
  }
  return actor;
}

/** The application whose service token an Authorization header holds; null where it holds no valid one. */
export async function findApplication(
  { serviceTokens }: Pick<ApiDeps, 'serviceTokens'>,
  authorization: string,
): Promise<ServiceActor | null> {
  const token = bearer.exec(authorization)?.[1];
  return token !== undefined && isServiceToken(token) ? serviceTokens.find(token) : null;
}

function anonymousActor(info: RequestInfo): Actor {
  return { ...systemActor(defaultTenantId), ...originOf(info), kind: 'service' };
}

async function identify(deps: ApiDeps, authorization: string, info: RequestInfo): Promise<Actor> {
  const token = bearer.exec(authorization)?.[1];
  if (token === undefined) {
    throw new Problem({ code: 'auth.required', detail: 'Send an access token: Authorization: Bearer …' });
  }
  if (isServiceToken(token)) {
    const service = await findApplication(deps, authorization);
    if (service === null) throw refused();
    return { ...service, ...originOf(info) };
  }
  const session = deps.externalIssuers.speaksFor(token)
    ? await findBearerSession(deps, token, originOf(info))
    : await deps.accessTokens.verify(token);
  const facts = await deps.actors.find(session.tenant_id, session.session_id);
  if (facts === null || facts.user_id !== session.user_id) throw refused();
  return { kind: 'user', ...facts, ...originOf(info) };
}

function originOf(info: RequestInfo) {
  return {
    ip: info.ip,
    user_agent: info.userAgent,
    request_id: info.id,
    trace_id: info.traceId,
    workflow_id: null,
  };
}

function refused(): Problem {
  return new Problem({ code: 'auth.required', detail: 'The access token is not valid.' });
}
