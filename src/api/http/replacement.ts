import { z } from 'zod';
import { sameJson } from '../../domain/shared/canonical.ts';
import { inputIssues, invalidInput } from '../../platform/input-issues.ts';
import { wordsOf } from '../../platform/input-words.ts';
import type { Route } from './route.ts';

/** What GET shows at the address of a route that replaces it. */
export interface ShownResource {
  readonly route: Route;
  /** The members that GET shows and the body of the replacement does not have. */
  readonly readOnly: ReadonlySet<string>;
}

/** What GET shows at the address of a PUT or PATCH; undefined where there is no such GET, or it shows no object. */
export function shownResource(route: Route, routes: readonly Route[]): ShownResource | undefined {
  if (route.method !== 'put' && route.method !== 'patch') return undefined;
  const shown = routes.find(({ method, path }) => method === 'get' && path === route.path);
  const schema = shown?.responses[200];
  if (shown === undefined || !(schema instanceof z.ZodObject) || !(route.body instanceof z.ZodObject)) return undefined;
  const writable = route.body.shape;
  return { route: shown, readOnly: new Set(Object.keys(schema.shape).filter((name) => !(name in writable))) };
}

/** A body in two parts: what is to be written, and the read-only members that it repeats. */
export function splitBody(body: unknown, { readOnly }: ShownResource): { body: unknown; repeated: [string, unknown][] } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return { body, repeated: [] };
  const members = Object.entries(body);
  const repeated = members.filter(([name]) => readOnly.has(name));
  if (repeated.length === 0) return { body, repeated };
  return { body: Object.fromEntries(members.filter(([name]) => !readOnly.has(name))), repeated };
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

/** @throws Problem `request.invalid` for a read-only member that says something else than the resource does. */
export function assertRepeats(repeated: readonly [string, unknown][], shown: unknown): void {
  const current = shown as Readonly<Record<string, unknown>>;
  const changed = repeated.filter(([name, value]) => !sameJson(value ?? null, current[name] ?? null));
  if (changed.length > 0) throw invalidInput(changed.map(([name]) => ({ pointer: `/${name}`, detail: 'cannot be changed' })));
}
