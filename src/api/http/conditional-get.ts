import type { RouterMiddleware } from '@koa/router';
import type { Middleware } from 'koa';
import { LRUCache } from 'lru-cache';
import type { ApiDeps } from '../deps.ts';
import { findApplication } from './authenticate.ts';
import { assertPermission } from './authorize.ts';
import { mediaType } from './media-type.ts';
import { parseInput } from './parse-input.ts';
import { countRequest } from './request-context.ts';
import type { RequestState } from './request-context.ts';
import { RouteIndex } from './route-index.ts';
import type { NotModified, Route } from './route.ts';

type RouteMiddleware = Middleware<RequestState>;
type Context = Parameters<RouteMiddleware>[0];

/**
 * Answers 304 in front of the other middlewares where an application asks for something that has not changed, because
 * this is the most frequent request and they would multiply its cost (ADR 22). Route, caller, permission and input are
 * found by the functions of the ordinary way. Any other request (of a person, of a browser, traced, refused, or about
 * something that has changed) goes the ordinary way. A request that is answered here is counted, but neither logged nor
 * traced.
 *
 * @param parseBody the middleware that parses bodies on the ordinary way, too
 */
export function answerConditionalGet(
  deps: ApiDeps,
  routes: readonly Route[],
  parseBody: RouteMiddleware,
): RouterMiddleware<RequestState> {
  const index = new RouteIndex();
  for (const route of routes) {
    if (route.notModified === undefined) continue;
    if (route.rateLimit !== false) throw new Error(`Route ${route.operationId} is limited, but its 304 could not be.`);
    index.add(route.method, route.path, answerNotModified(deps, route, parseBody));
  }
  const find = index.routes();
  return (ctx, next): unknown => (ctx.req.headers['if-none-match'] === undefined ? next() : find(ctx, next));
}

/** Applications repeat the same requests: what `notModified` returned for one is kept by its text, up to these bounds. */
const maxKnownRequests = 2_000;
const maxKnownLength = 2_000;

function answerNotModified(deps: ApiDeps, route: Route, parseBody: RouteMiddleware): RouteMiddleware {
  const known = new LRUCache<string, NotModified>({ max: maxKnownRequests });
  const find = (ctx: Context): NotModified | undefined => {
    const text = `${ctx.url}\n${ctx.request.rawBody ?? ''}`;
    const kept = known.get(text);
    if (kept !== undefined) return kept;
    const found = route.notModified?.(parseInput(route, ctx));
    if (found !== undefined && text.length <= maxKnownLength) known.set(text, found);
    return found;
  };
  const headersOf = async (ctx: Context): Promise<Record<string, string> | null> => {
    const { headers } = ctx.req;
    if (headers.origin !== undefined || headers['traceparent'] !== undefined) return null;
    const actor = await findApplication(deps, headers.authorization ?? '');
    if (actor === null) return null;
    assertPermission(actor, route);
    if (route.body !== undefined) {
      if (mediaType(ctx.request) !== 'application/json') return null;
      await parseBody(ctx, () => Promise.resolve());
    }
    return (await find(ctx)?.(deps, actor)) ?? null;
  };
  return async (ctx, next) => {
    const started = performance.now();
    // What was refused or failed is so again on the ordinary way, which answers, logs and counts it.
    const headers = await headersOf(ctx).catch(() => null);
    if (headers === null || headers['etag'] !== ctx.req.headers['if-none-match']) {
      await next();
      return;
    }
    ctx.status = 304;
    ctx.set(headers);
    countRequest(deps.metrics, { method: ctx.method, route: route.path, status: 304, seconds: (performance.now() - started) / 1000 });
  };
}
