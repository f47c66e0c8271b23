import type { Middleware } from 'koa';
import { Problem } from '../../platform/problem.ts';
import { databaseProblem } from './database-problem.ts';
import type { RequestState } from './request-context.ts';

/**
 * Writes every error as `application/problem+json` (RFC 9457). The only place that does; handlers do not catch.
 * An error nobody foresaw becomes a 500 without any of its text, and is logged with the request id.
 */
export function problemDetails(): Middleware<RequestState> {
  return async (ctx, next) => {
    try {
      await next();
      if (ctx.status === 404 && ctx.body == null && ctx.state.routePath === undefined) {
        throw new Problem({ code: 'request.not-found', detail: 'No endpoint has this path.' });
      }
    } catch (error) {
      const problem = toProblem(error);
      if (problem.status >= 500) ctx.state.log.error({ err: error, request_id: ctx.state.info.id, problem: problem.code });
      ctx.status = problem.status;
      if (problem.retryAfterSeconds !== undefined) ctx.set('retry-after', String(problem.retryAfterSeconds));
      if (problem.status === 401) ctx.set('www-authenticate', 'Bearer');
      ctx.body = JSON.stringify(problem.toBody(ctx.state.info.id));
      ctx.type = 'application/problem+json';
    }
  };
}

/** Translates what libraries throw; handlers throw {@link Problem} themselves. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const problem = databaseProblem(error);
  if (problem !== undefined) return problem;
  return new Problem({
    code: 'service.internal',
    detail: 'The request failed on our side. Give the instance to support.',
    cause: error,
  });
}
