import { z } from 'zod';
import { sameJson } from '../../domain/shared/canonical.ts';
import { inputIssues, invalidInput } from '../../platform/input-issues.ts';
import { wordsOf } from '../../platform/input-words.ts';
import { clockValues } from '../../platform/value-schemas.ts';
import type { HttpResponse, Route } from './route.ts';

/** What GET shows at the address of a route that replaces it. */
export interface ShownResource {
  readonly route: Route;
  readonly shown: z.ZodObject;
  readonly writable: z.ZodObject;
}

/** What GET shows at the address of a PUT or PATCH; undefined where there is no such GET, or it shows no object. */
export function shownResource(route: Route, routes: readonly Route[]): ShownResource | undefined {
  if (route.method !== 'put' && route.method !== 'patch') return undefined;
  const get = routes.find(({ method, path }) => method === 'get' && path === route.path);
  const shown = get?.responses[200];
  if (get === undefined || !(shown instanceof z.ZodObject) || !(route.body instanceof z.ZodObject)) return undefined;
  return { route: get, shown, writable: route.body };
}

/**
 * A body in two parts: what is to be written, and the read-only members that it repeats. Those of the objects inside are left out,
 * and so is what runs with the clock: it is another value by now, though nobody has changed anything.
 */
export function splitBody(body: unknown, { shown, writable }: ShownResource): { body: unknown; repeated: [string, unknown][] } {
  if (!isRecord(body)) return { body, repeated: [] };
  const repeated = Object.entries(body).filter(([name]) => {
    const schema = shown.shape[name] as z.ZodType | undefined;
    return schema !== undefined && !(name in writable.shape) && !clockValues.has(schema);
  });
  return { body: withoutReadOnly(body, shown, writable), repeated };
}

/** The value without the members that are shown and cannot be written. */
function withoutReadOnly(value: unknown, shown: z.ZodType, writable: z.ZodType): unknown {
  const [from, to] = [withoutWrapping(shown), withoutWrapping(writable)];
  if (Array.isArray(value) && from instanceof z.ZodArray && to instanceof z.ZodArray) {
    return value.map((one) => withoutReadOnly(one, from.element as z.ZodType, to.element as z.ZodType));
  }
  if (!isRecord(value) || !(from instanceof z.ZodObject) || !(to instanceof z.ZodObject)) return value;
  const kept = Object.entries(value).flatMap(([name, member]): [string, unknown][] => {
    const [seen, written] = [from.shape[name] as z.ZodType | undefined, to.shape[name] as z.ZodType | undefined];
    if (seen === undefined) return [[name, member]];
    return written === undefined ? [] : [[name, withoutReadOnly(member, seen, written)]];
  });
  return Object.fromEntries(kept);
}

/** The schema inside `optional`, `nullable` and `default`, and what goes into a transformation. */
function withoutWrapping(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodPipe) return withoutWrapping(schema.in as z.ZodType);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return withoutWrapping(schema.unwrap() as z.ZodType);
  }
  return schema;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The query with which GET shows what a body replaces: a resource that lies in several places names its own in the body.
 *
 * @throws Problem `request.invalid` when the body does not say which.
 */
export function queryOfShown({ query }: Route, body: unknown): Record<string, unknown> {
  if (query === undefined) return {};
  const names = query instanceof z.ZodObject ? Object.keys(query.shape) : [];
  const given = Object.fromEntries(Object.entries(body ?? {}).filter(([name]) => names.includes(name)));
  const parsed = query.safeParse(given, { error: wordsOf });
  if (!parsed.success) throw invalidInput(inputIssues('', parsed.error));
  return parsed.data;
}

/** What changes with every write: If-Match says whether it was known; without, the last writer wins as always. */
const versionMembers = ['version', 'updated_at'];

/**
 * Compares what a body repeats with the resource. What was built on another version is left to the route, which says so.
 *
 * @param ifMatch the header of the request.
 * @throws Problem `request.invalid` for a read-only member that says something else than the resource does.
 */
export function assertRepeats(repeated: readonly [string, unknown][], { body, headers }: HttpResponse, ifMatch: string | null): void {
  if (ifMatch !== null && ifMatch !== headers['etag']) return;
  const current = body as Readonly<Record<string, unknown>>;
  const changed = repeated.filter(
    ([name, value]) => !(ifMatch === null && versionMembers.includes(name)) && !sameJson(value ?? null, current[name] ?? null),
  );
  if (changed.length > 0) throw invalidInput(changed.map(([name]) => ({ pointer: `/${name}`, detail: 'cannot be changed' })));
}
