import type { Actor } from '../../domain/shared/actor.ts';
import { can } from '../../domain/identity/access.ts';
import { Problem } from '../../platform/problem.ts';
import type { Route } from './route.ts';

/**
 * Refuses a caller without the route's permission.
 *
 * @throws Problem `auth.forbidden` with the missing permission's name.
 */
export function assertPermission(
  actor: Pick<Actor, 'kind' | 'roles' | 'permissions'>,
  route: Pick<Route, 'permission' | 'isJudgedByResource'>,
): void {
  const { permission } = route;
  if (permission === 'public') return;
  if (permission === 'authenticated') {
    if (actor.kind === 'user') return;
    throw new Problem({ code: 'auth.forbidden', detail: 'This endpoint is for signed-in users.' });
  }
  if (route.isJudgedByResource === true && actor.kind === 'user') return;
  const decision = can(actor, permission);
  if (!decision.allowed) {
    throw new Problem({
      code: 'auth.forbidden',
      detail: `This needs the permission ${permission}.`,
      members: { permission, rule: decision.rule },
    });
  }
}
