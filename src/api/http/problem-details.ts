import { DriverException, RowLevelSecurityViolationException, UniqueConstraintViolationException } from '@mikro-orm/core';
import type { Middleware } from 'koa';
import { Problem } from '../../platform/problem.ts';
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

/** PostgreSQL's classes for a server that cannot be used: connection failures, shutdown, too many connections. */
const awayState = /^(08|57P|53)/;
const awayCode = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND']);
const statementTimeout = '57014';

/** Translates what libraries throw; handlers throw {@link Problem} themselves. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof UniqueConstraintViolationException || codeOf(error) === '23505') {
    return new Problem({ code: 'resource.conflict', detail: 'There is one like this already.', cause: error });
  }
  if (codeOf(error) === '23503' || codeOf(error) === '23001') {
    return new Problem({
      code: 'resource.conflict',
      detail: 'The request refers to something that is not there, or that others still refer to.',
      cause: error,
    });
  }
  if (error instanceof RowLevelSecurityViolationException) {
    return new Problem({ code: 'resource.not-found', detail: 'There is no such resource.', cause: error });
  }
  if (isAway(error)) {
    return new Problem({
      code: 'service.unavailable',
      detail: 'The database is away; nothing was changed. Try again shortly.',
      retryAfterSeconds: 5,
      cause: error,
    });
  }
  return new Problem({
    code: 'service.internal',
    detail: 'The request failed on our side. Give the instance to support.',
    cause: error,
  });
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof DriverException) return typeof error.code === 'string' ? error.code : undefined;
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function isAway(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined && (awayCode.has(code) || awayState.test(code)) && code !== statementTimeout) return true;
  return (
    error instanceof Error &&
    /connection terminated|timeout exceeded when trying to connect|not queryable|ended the connection/i.test(error.message)
  );
}
