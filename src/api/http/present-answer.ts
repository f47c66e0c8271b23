import { Readable } from 'node:stream';
import type { ParameterizedContext } from 'koa';
import { z } from 'zod';
import type { RequestState } from './request-context.ts';
import { CachedResponse, HttpResponse, RawJson, reply } from './route.ts';
import type { Route } from './route.ts';

/** Parses the body with its schema: undeclared fields never leave, an undeclared status is our own fault. */
export function present(route: Route, result: unknown, defaultStatus: number): HttpResponse {
  if (!(result instanceof CachedResponse)) return checked(route, result, defaultStatus);
  if (result.presented === undefined) {
    const { status, body, headers } = checked(route, result, defaultStatus);
    result.presented = reply(status, new RawJson(JSON.stringify(body)), headers);
  }
  return result.presented;
}

function checked(route: Route, result: unknown, defaultStatus: number): HttpResponse {
  const { status, body, headers } = result instanceof HttpResponse ? result : reply(defaultStatus, result);
  const spec = route.responses[status];
  if (spec === undefined) throw new Error(`Route ${route.operationId} answered undeclared status ${status}.`);
  if (spec === null) return reply(status, null, { ...headers });
  if (!(spec instanceof z.ZodType)) return reply(status, body, { ...headers });
  const parsed = spec.safeParse(body);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new Error(`Route ${route.operationId} answered with a body that breaks its schema: ${fields}`);
  }
  return reply(status, parsed.data, { ...headers });
}

/** Sends an answer; 304 where the caller has it already. */
export function send(ctx: ParameterizedContext<RequestState>, { status, body, headers }: HttpResponse): void {
  for (const [name, value] of Object.entries(headers)) ctx.set(name, value);
  const { ifNoneMatch } = ctx.state.info;
  if (ctx.method === 'GET' && ifNoneMatch !== null && ifNoneMatch === headers['etag']) {
    ctx.status = 304;
  } else if (body instanceof Readable) {
    ctx.status = status;
    ctx.body = body;
  } else if (body === null) {
    ctx.body = null;
    ctx.status = status;
  } else {
    ctx.status = status;
    ctx.type = 'application/json';
    ctx.body = body instanceof RawJson ? body.text : JSON.stringify(body);
  }
}
