import { bodyParser } from '@koa/bodyparser';
import type { Middleware } from 'koa';
import { Problem } from '../../platform/problem.ts';
import { mediaType } from './media-type.ts';
import type { RequestState } from './request-context.ts';

/**
 * Parses JSON bodies once a request: a body that is there already stays, and one that was refused is refused again. An empty
 * one is an object without members.
 *
 * @throws Problem `request.too-large` or `request.malformed`.
 */
export function jsonBody(limitKb: number): Middleware<RequestState> {
  const parse = bodyParser({
    enableTypes: ['json'],
    // Spares nearly every request the search through all types that are JSON.
    detectJSON: ({ request }) => mediaType(request) === 'application/json',
    jsonLimit: `${limitKb}kb`,
    // A text or a number is JSON too; that it is no object is said by the schema of the route.
    jsonStrict: false,
    onError: (error, ctx) => {
      const { state } = ctx as typeof ctx & { state: RequestState };
      state.bodyProblem = bodyProblem(error, limitKb);
      throw state.bodyProblem;
    },
  });
  return async (ctx, next) => {
    if (ctx.state.bodyProblem !== undefined) throw ctx.state.bodyProblem;
    await parse(ctx, async () => {
      if (ctx.request.rawBody === '') ctx.request.body = {};
      await next();
    });
  };
}

function bodyProblem(error: Error & { type?: string; status?: number }, limitKb: number): Problem {
  if (error.status === 413 || error.type === 'entity.too.large') {
    return new Problem({ code: 'request.too-large', detail: `A body has at most ${limitKb} kB.`, cause: error });
  }
  return new Problem({ code: 'request.malformed', detail: 'The body is not valid JSON.', cause: error });
}
