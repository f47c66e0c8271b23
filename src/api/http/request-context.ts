import { randomUUID } from 'node:crypto';
import type { Middleware } from 'koa';
import { isUuid } from '../../domain/shared/uuid.ts';
import type { Logger } from '../../platform/observability/logger.ts';
import type { Metrics } from '../../platform/observability/metrics.ts';
import { activeTraceId } from '../../platform/observability/tracing.ts';
import type { Problem } from '../../platform/problem.ts';
import type { RequestInfo } from './request-info.ts';

/** What the middlewares keep on `ctx.state`. */
export interface RequestState {
  info: RequestInfo;
  log: Logger;
  /** Path pattern of the matched route, for metrics; a raw path would make one time series per id. */
  routePath: string | undefined;
  principal: string | undefined;
  /** Why the body was refused. */
  bodyProblem?: Problem;
}

/** Gives the request its id, address, trace and logger; writes one log line and the metrics when it is done. */
export function requestContext(options: {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly trustedProxies: number;
}): Middleware<RequestState> {
  const logsRequests = options.log.isLevelEnabled('info');
  // The line holds nothing that a caller chose the text of, so the search for secrets in it would be for nothing.
  const requestLog = options.log.child({}, { redact: [] });
  return async (ctx, next) => {
    const started = process.hrtime.bigint();
    const given = ctx.get('x-request-id').toLowerCase();
    const id = isUuid(given) ? given : randomUUID();
    const info: RequestInfo = {
      id,
      ip: clientAddress(ctx.req.socket.remoteAddress ?? '', ctx.get('x-forwarded-for'), options.trustedProxies),
      userAgent: ctx.get('user-agent').slice(0, 500) || null,
      traceId: activeTraceId(),
      ifMatch: ctx.get('if-match') || null,
      ifNoneMatch: ctx.get('if-none-match') || null,
      cookie: ctx.get('cookie') || null,
    };
    ctx.state.info = info;
    ctx.state.log = options.log;
    ctx.set('x-request-id', id);
    await next();
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    const route = ctx.state.routePath ?? 'unmatched';
    countRequest(options.metrics, { method: ctx.method, route, status: ctx.status, seconds });
    if (logsRequests) {
      requestLog.info({
        request_id: id,
        trace_id: info.traceId ?? undefined,
        method: ctx.method,
        route,
        status: ctx.status,
        duration_ms: Math.round(seconds * 1000),
      });
    }
  };
}

/** An answered request in the metrics. */
export function countRequest(
  { httpRequests, httpDuration }: Pick<Metrics, 'httpRequests' | 'httpDuration'>,
  { method, route, status, seconds }: { method: string; route: string; status: number; seconds: number },
): void {
  httpRequests.inc({ method, route, status: String(status) });
  httpDuration.observe({ method, route }, seconds);
}

/** The address behind `hops` trusted proxies: the entry that the outermost of them added. */
function clientAddress(socketAddress: string, forwardedFor: string, hops: number): string {
  const plain = socketAddress.startsWith('::ffff:') ? socketAddress.slice(7) : socketAddress;
  if (hops === 0 || forwardedFor === '') return plain;
  const chain = forwardedFor.split(',').map((entry) => entry.trim());
  return chain[Math.max(0, chain.length - hops)] ?? plain;
}
