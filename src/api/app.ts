import cors from '@koa/cors';
import Router from '@koa/router';
import Koa from 'koa';
import helmet from 'koa-helmet';
import { Problem } from '../platform/problem.ts';
import { traceRequest } from '../platform/observability/tracing.ts';
import type { ApiDeps } from './deps.ts';
import { routes } from './routes.ts';
import { answerConditionalGet } from './http/conditional-get.ts';
import { keepFixedPaths } from './http/fixed-paths.ts';
import { jsonBody } from './http/json-body.ts';
import { mediaType } from './http/media-type.ts';
import { problemDetails } from './http/problem-details.ts';
import { requestContext } from './http/request-context.ts';
import type { RequestState } from './http/request-context.ts';
import { mountOperations } from './http/operational-endpoints.ts';
import { RouteIndex } from './http/route-index.ts';
import { runRoute } from './http/run-route.ts';

/** `x-namespace` comes from Temporal Web. */
const allowHeaders = [
  'authorization',
  'content-type',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'x-mfa-token',
  'x-namespace',
  'x-requested-with',
];

/** The one place that pages of Temporal Web may call. */
const codecPath = '/temporal/codec/';

const mutating = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** The Koa application: the middlewares in the order in which a request meets them, then the routes. */
export function createApp(deps: ApiDeps): Koa<RequestState> {
  const { env, log, metrics } = deps;
  const app = new Koa<RequestState>({ proxy: false });
  // Errors are answered and logged by our own middleware; Koa's printer would show stacks on stderr.
  app.silent = true;
  const parseBody = jsonBody(env.BODY_LIMIT_KB);
  app.use(answerConditionalGet(deps, routes, parseBody));
  app.use((ctx, next) =>
    traceRequest(deps.tracing, ctx.headers, next, () => ({
      method: ctx.method,
      route: ctx.state.routePath ?? 'unmatched',
      status: ctx.status,
    })),
  );
  app.use(requestContext({ log, metrics, trustedProxies: env.TRUSTED_PROXIES }));
  app.use(problemDetails());
  app.use(
    helmet({
      contentSecurityPolicy: { directives: { 'default-src': ["'self'"], 'style-src': ["'self'"], 'img-src': ["'self'", 'data:'] } },
      strictTransportSecurity: env.NODE_ENV === 'production',
    }),
  );
  const temporalWeb = new URL(env.TEMPORAL_WEB_URL).origin;
  const mayRead = (origin: string, path: string): boolean =>
    env.CORS_ORIGINS.includes(origin) || (origin === temporalWeb && path.startsWith(codecPath));
  app.use(
    cors({
      origin: (ctx) => (mayRead(ctx.get('origin'), ctx.path) ? ctx.get('origin') : ''),
      exposeHeaders: ['ETag', 'Location', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'X-Request-Id'],
      allowHeaders,
      maxAge: 600,
    }),
  );
  const uploadTypes = new Set(routes.flatMap(({ uploads }) => uploads ?? []));
  app.use(async (ctx, next) => {
    if (!ctx.response.get('cache-control')) ctx.set('cache-control', 'no-store');
    const type = mediaType(ctx.request);
    const hasBody = ctx.get('content-length') !== '0' && (ctx.get('content-length') !== '' || ctx.get('transfer-encoding') !== '');
    if (mutating.has(ctx.method) && hasBody && type !== 'application/json' && !uploadTypes.has(type)) {
      throw new Problem({
        code: 'request.unsupported-media-type',
        detail: 'Send JSON with Content-Type: application/json.',
      });
    }
    await next();
  });
  app.use(parseBody);
  // `/things/latest` before `/things/:id`, in whatever order they are listed.
  const router = new Router<RequestState>({ exclusive: 'specificity' });
  const index = new RouteIndex();
  for (const route of routes) {
    const run = runRoute(route, deps, routes);
    for (const path of [route.path, ...(route.aliases ?? [])]) {
      router[route.method](path, run);
      index.add(route.method, path, run);
    }
  }
  mountOperations(router, deps);
  // Runs around the router's answer: an error that is thrown by it would have no Allow (RFC 9110, section 15.5.6).
  app.use(async (ctx, next) => {
    await next();
    if (ctx.status !== 405 && ctx.status !== 501) return;
    const detail = ctx.status === 405 ? 'The Allow header lists the supported methods.' : 'This method is unknown.';
    throw new Problem({ code: 'request.method-not-allowed', detail });
  });
  app.use(keepFixedPaths(router));
  app.use(index.routes());
  app.use(router.routes());
  app.use(router.allowedMethods());
  return app;
}
