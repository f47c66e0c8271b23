import { z } from 'zod';
import type { HttpResponse, Route } from './route.ts';
import { describeGate } from './route-description.ts';

/** What of a route says where the thing is that it has made or set going. */
type Place = Pick<Route, 'method' | 'path' | 'query' | 'gate' | 'resolvesGateOf'>;

/** The address for the `Location` of an answer, or undefined where there is none to be read. */
export type LocationOf = (params: Readonly<Record<string, string>>, answer: HttpResponse) => string | undefined;

const approvals = '/admin/approvals';

/**
 * Where the answers 201 and 202 of a route point to (RFC 9110, section 10.2.2): a request for approval; of what was made, the
 * address below the route's own; of work that goes on, the thing that it is done to. A handler that knows better sets the header.
 */
export function defaultLocation(route: Place, routes: readonly Place[]): LocationOf {
  const isReadable = (path: string) => routes.some((other) => other.method === 'get' && other.path === path);
  const parent = route.path.slice(0, route.path.lastIndexOf('/'));
  const member = routes.find(({ method, path }) => method === 'get' && path.replace(/\/:\w+$/, '') === route.path && path !== route.path);
  const memberKey = member?.path.slice(route.path.length + 2);
  const needed = requiredNames(member?.query);
  const placeIn = (made: Readonly<Record<string, unknown>>) => new URLSearchParams(Object.fromEntries(needed.map((name) => [name, String(made[name])]))).toString();
  const opensApprovals = describeGate(route).action !== null;
  return (params, { status, body }) => {
    const made = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
    if (status === 202 && opensApprovals && 'digest' in made) return addressOf(approvals, params, made['id']);
    if (status === 201 && memberKey !== undefined) return addressOf(route.path, params, made[memberKey] ?? made['id'], placeIn(made));
    return status === 202 && isReadable(parent) ? filled(parent, params) : undefined;
  };
}

/** The parameters without which a GET is refused: a flag has a place in each environment. */
function requiredNames(query: Route['query']): string[] {
  if (!(query instanceof z.ZodObject)) return [];
  return Object.entries(query.shape).flatMap(([name, schema]) => ((schema as z.ZodType).safeParse(undefined).success ? [] : [name]));
}

function addressOf(path: string, params: Readonly<Record<string, string>>, key: unknown, query = ''): string | undefined {
  if (typeof key !== 'string' && typeof key !== 'number') return undefined;
  return `${filled(path, params)}/${encodeURIComponent(String(key))}${query === '' ? '' : `?${query}`}`;
}

function filled(path: string, params: Readonly<Record<string, string>>): string {
  return path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
}
