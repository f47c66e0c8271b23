import type { IncomingHttpHeaders } from 'node:http';
import type { Middleware, ParameterizedContext } from 'koa';
import type { Permission } from '../../domain/identity/permissions.ts';
import type { Metrics } from '../../platform/observability/metrics.ts';
import { isServiceToken } from '../../services/identity/service-token-format.ts';
import type { ServiceActor, ServiceTokenCache } from '../../services/identity/service-token-cache.ts';
import type { RequestState } from './request-context.ts';

/** A question that applications ask all the time: has this changed since the entity tag that I have? */
export interface ConditionalRequest {
  readonly method: 'GET' | 'POST';
  /** Path pattern, for the metrics. */
  readonly route: string;
  readonly cacheControl: string;
  /** Whether a request with this path and query may be the question. */
  readonly isAskedBy: (url: string) => boolean;
  /** Whether the tag is that of today's answer for this caller; false whenever that is not plain. */
  readonly isUnchanged: (ctx: ParameterizedContext<RequestState>, etag: string) => Promise<boolean>;
}

/**
 * Answers those questions when the answer is no: 304, in front of every other middleware. Whatever is not plainly this
 * case (another caller, a browser, a traced request, a refusal, a change) goes the whole way. What is answered here is
 * counted, but neither logged nor traced.
 */
export function answerConditionalGet(
  { httpRequests, httpDuration }: Pick<Metrics, 'httpRequests' | 'httpDuration'>,
  questions: readonly ConditionalRequest[],
): Middleware<RequestState> {
  const answer: (question: ConditionalRequest, etag: string, ...rest: Parameters<Middleware<RequestState>>) => Promise<void> =
    async (question, etag, ctx, next) => {
      const started = performance.now();
      if (!(await question.isUnchanged(ctx, etag))) {
        await next();
        return;
      }
      const { method, route, cacheControl } = question;
      ctx.status = 304;
      ctx.set({ etag, 'cache-control': cacheControl });
      httpRequests.inc({ method, route, status: '304' });
      httpDuration.observe({ method, route }, (performance.now() - started) / 1000);
    };
  return (ctx, next) => {
    const { headers, method, url = '' } = ctx.req;
    const etag = headers['if-none-match'];
    if (etag === undefined) return next();
    const question = questions.find((one) => one.method === method && one.isAskedBy(url));
    return question === undefined ? next() : answer(question, etag, ctx, next);
  };
}

const bearer = /^Bearer ([\w-]+)$/i;

/** The application behind a request, when it has a living service token with the permission and is no traced call or browser. */
export async function plainApplication(
  serviceTokens: ServiceTokenCache,
  headers: IncomingHttpHeaders,
  permission: Permission,
): Promise<ServiceActor | null> {
  const token = bearer.exec(headers.authorization ?? '')?.[1];
  if (token === undefined || !isServiceToken(token)) return null;
  if (headers.origin !== undefined || headers['traceparent'] !== undefined) return null;
  const caller = await serviceTokens.find(token);
  return caller?.permissions.includes(permission) === true ? caller : null;
}
