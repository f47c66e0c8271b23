import type { Actor } from '../../domain/shared/actor.ts';
import { can } from '../../domain/identity/access.ts';
import { moduleActionOf } from '../../domain/identity/module-permission.ts';
import { isPermission } from '../../domain/identity/permissions.ts';
import type { ReadSource } from '../../platform/database/read.ts';
import { Problem } from '../../platform/problem.ts';
import { assertAccess, assertAllowed, assertSomeAccess, resourceOfPath } from '../../services/assignment/resource-access.service.ts';
import { decideModuleAccess } from '../../services/identity/role/module-access.service.ts';
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
  const isJudgedLater = route.isJudgedByResource === true || moduleActionOf(permission) !== undefined;
  if (isJudgedLater && actor.kind === 'user') return;
  assertAllowed(can(actor, permission), permission);
}

/**
 * Judges what a software module gives besides roles, and lets a caller try what is judged by its resource; see
 * {@link assertSomeAccess}. Other routes have been judged by then.
 *
 * @throws Problem `auth.forbidden`.
 */
export async function assertMayTry(db: ReadSource, actor: Actor, { permission, isJudgedByResource }: Route): Promise<void> {
  if (!isPermission(permission)) return;
  if (isJudgedByResource === true) return assertSomeAccess(db, actor, permission);
  if (moduleActionOf(permission) !== undefined) assertAllowed(await decideModuleAccess(db, actor, actor, permission), permission);
}

/**
 * Judges an answer that is told again: it shows a campaign or a contact as the first one did, and so takes the right to see it now.
 *
 * @param params of the path, which names it.
 * @throws Problem `auth.forbidden`.
 */
export async function assertStillAllowed(
  db: ReadSource,
  actor: Actor,
  { permission, isJudgedByResource }: Route,
  params: Readonly<Record<string, string>>,
): Promise<void> {
  const resource = resourceOfPath(params);
  if (isJudgedByResource === true && isPermission(permission) && resource !== null) await assertAccess(db, actor, permission, resource);
}
