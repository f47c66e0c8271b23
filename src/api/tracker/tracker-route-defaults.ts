import type { Actor } from '../../domain/shared/actor.ts';
import type { Person } from '../../services/tracker/tracker-profile.queries.ts';
import { Problem } from '../../platform/problem.ts';
import { route } from '../http/route.ts';
import type { Route, RouteSpec } from '../http/route.ts';

/** Path under which all routes of the tracker are. */
export const trackerPath = '/api/v1/master-admin';

/** What all routes of the tracker share: people see and change their own rows (S0-63, ADR 25). */
export const trackerRoute = { tag: 'tracker', permission: 'tracker:use', gate: 'none' } as const;

/** What the routes share that change the pipelines of the tenant. */
export const sharedPipelineRoute = { ...trackerRoute, permission: 'pipeline:manage' } as const;

/**
 * The caller as a person, who owns the rows that a request creates and reads (S0-63).
 *
 * @throws Problem `auth.forbidden` for a service token.
 */
export function personOf(actor: Actor): Person {
  if (!isPerson(actor)) {
    throw new Problem({
      code: 'auth.forbidden',
      detail: 'The tracker is for signed-in users, not for service tokens.',
    });
  }
  return actor;
}

/** The user id of {@link personOf}. */
export function ownerOf(actor: Actor): string {
  return personOf(actor).user_id;
}

function isPerson(actor: Actor): actor is Person {
  return actor.user_id !== null;
}

/** A partial update under PUT, as the API document has it, and under PATCH as its alias (S0-89). */
export function changeRoutes<Params, Query, Body>(spec: Omit<RouteSpec<Params, Query, Body>, 'method'>): Route[] {
  return [
    route({ ...spec, method: 'put' }),
    route({ ...spec, method: 'patch', operationId: spec.operationId.replace(/^update/, 'patch') }),
  ];
}
