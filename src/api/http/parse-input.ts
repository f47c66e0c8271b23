import type { ParameterizedContext } from 'koa';
import { z } from 'zod';
import { isStorable, mayBeUnstorable, unstorableParts } from '../../domain/shared/storable-json.ts';
import { inputIssues, invalidInput } from '../../platform/input-issues.ts';
import { wordsOf } from '../../platform/input-words.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProblemIssue } from '../../platform/problem.ts';
import type { RequestState } from './request-context.ts';
import type { Route } from './route.ts';
import type { Input } from './route-description.ts';

type Context = ParameterizedContext<RequestState> & { params?: Record<string, string>; request: { body?: unknown; rawBody?: string } };

/**
 * Validates path, query and body with the route's schemas.
 *
 * @throws Problem `request.invalid` (422) with a JSON pointer for every issue; an id that is not well-formed is a
 *   resource that is not there (404), like any other unknown id.
 */
export function parseInput(route: Route, ctx: Context): Input<Record<string, string>, Record<string, unknown>, unknown> {
  const params = route.params?.safeParse(ctx.params ?? {});
  if (params !== undefined && (!params.success || !Object.values(ctx.params ?? {}).every(isStorable))) {
    throw new Problem({ code: 'resource.not-found', detail: 'There is no such resource.' });
  }
  // First, so that no rule of a schema has to do with what it cannot make sense of.
  assertStorable(route, ctx);
  const query = queryOf(route)?.safeParse({ ...ctx.query }, { error: wordsOf });
  const body = route.body?.safeParse(ctx.request.body, { error: wordsOf });
  if (route.query === undefined && ctx.querystring !== '' && !isOpenedFromMessage(route)) {
    throw invalidInput([{ pointer: '/query', detail: 'This endpoint takes no query parameters.' }]);
  }
  const errors = [...issuesOf('/query', query), ...issuesOf('', body)];
  if (errors.length > 0) throw invalidInput(errors);
  return { params: params?.data ?? {}, query: (query?.data ?? {}) as Record<string, unknown>, body: body?.data };
}

/**
 * People open public addresses from messages, to which mailers append parameters of their own (`utm_source`, `fbclid`): there an
 * unknown one says nothing (U-18).
 */
function isOpenedFromMessage({ permission }: Route): boolean {
  return permission === 'public';
}

/** A schema that takes unknown parameters of its own accord, as that of a provider's answer does, gets them. */
function queryOf(route: Route): z.ZodType | undefined {
  const { query } = route;
  if (!isOpenedFromMessage(route) || !(query instanceof z.ZodObject)) return query;
  return query.def.catchall instanceof z.ZodNever ? query.strip() : query;
}

/** What could not be stored is refused here for all routes, whether it is to be kept or searched for. */
function assertStorable(route: Route, { querystring, query, request }: Context): void {
  const { body } = route;
  const inQuery = querystring.includes('%00') ? unstorableParts({ query: readPart(route, query) }) : [];
  const isSuspect = request.rawBody === undefined || mayBeUnstorable(request.rawBody);
  const inBody = body !== undefined && isSuspect ? unstorableParts(request.body) : [];
  const parts = [...inQuery, ...inBody];
  if (parts.length > 0) throw invalidInput(parts);
}

/** The part of a query that the route looks at. */
function readPart(route: Route, query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const schema = queryOf(route);
  const isAllRead = !isOpenedFromMessage(route) || (schema !== undefined && !(schema instanceof z.ZodObject));
  const names = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  return Object.fromEntries(Object.entries(query).filter(([name]) => isAllRead || names.includes(name)));
}

function issuesOf(prefix: string, result: z.ZodSafeParseResult<unknown> | undefined): ProblemIssue[] {
  return result === undefined || result.success ? [] : inputIssues(prefix, result.error);
}
