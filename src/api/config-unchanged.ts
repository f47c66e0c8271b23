import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import type { Actor } from '../domain/actor.ts';
import { environmentNames } from '../domain/environment.ts';
import type { EnvironmentName } from '../domain/environment.ts';
import type { ApiDeps } from './deps.ts';
import { isServiceToken } from './identity/service-token.ts';
import type { RequestState } from './middleware/request-context.ts';

const path = new RegExp(`^/config/(${environmentNames.join('|')})(?:\\?instance=([\\w.:-]{1,200}))?$`);
const bearer = /^Bearer ([\w-]+)$/i;
const route = '/config/:environment';

/** True for people who may look, and for the tokens that are bound to exactly this environment. */
export function readsEnvironment({ kind, environment: bound }: Pick<Actor, 'kind' | 'environment'>, environment: EnvironmentName): boolean {
  return kind === 'user' || (bound ?? null) === environment;
}

/**
 * Answers the question that applications ask all the time, whether their configuration has changed, when the answer is
 * no: 304 in front of every other middleware. The token is looked up and judged as everywhere; whatever is not plainly
 * this case (another caller, a browser, a traced request, a refusal, a change) goes the whole way. What is answered here
 * is counted, but neither logged nor traced.
 */
export function unchangedConfig(
  deps: Pick<ApiDeps, 'configSnapshots' | 'metrics' | 'serviceTokens'>,
): Middleware<RequestState> {
  const { configSnapshots, metrics, serviceTokens } = deps;
  const isUnchanged = async ({ headers, url = '' }: IncomingMessage, etag: string): Promise<boolean> => {
    const [, environment, instance] = path.exec(url) ?? [];
    const token = bearer.exec(headers.authorization ?? '')?.[1];
    const isWholeWay = headers.origin !== undefined || headers['traceparent'] !== undefined;
    if (!isEnvironment(environment) || token === undefined || isWholeWay || !isServiceToken(token)) return false;
    const caller = await serviceTokens.find(token);
    if (caller?.permissions.includes('config:read') !== true || !readsEnvironment(caller, environment)) return false;
    const served = await configSnapshots.serve(caller.tenant_id, environment, instance ?? null);
    return served?.etag === etag;
  };
  return async (ctx, next) => {
    const { headers, method, url = '' } = ctx.req;
    const etag = headers['if-none-match'];
    const started = performance.now();
    if (etag === undefined || method !== 'GET' || !url.startsWith('/config/') || !(await isUnchanged(ctx.req, etag))) {
      await next();
      return;
    }
    ctx.status = 304;
    ctx.set({ etag, 'cache-control': 'private, no-cache' });
    metrics.httpRequests.inc({ method, route, status: '304' });
    metrics.httpDuration.observe({ method, route }, (performance.now() - started) / 1000);
  };
}

function isEnvironment(name: string | undefined): name is EnvironmentName {
  return environmentNames.some((one) => one === name);
}
