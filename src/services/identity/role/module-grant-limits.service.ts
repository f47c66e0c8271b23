import { can } from '../../../domain/identity/access.ts';
import { isLaterEnd, isModuleAdmin, moduleActions } from '../../../domain/identity/module-permission.ts';
import type { ModuleGrant } from '../../../domain/identity/module-permission.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { invalidInput } from '../../../platform/input-issues.ts';
import { Problem } from '../../../platform/problem.ts';
import { read } from '../../../platform/database/read.ts';
import { activeRoles } from './active-role.queries.ts';
import { ownRights } from './effective-rights.service.ts';
import { moduleGrants } from './module-permission.queries.ts';

/**
 * Lets nobody grant what they lack (S4-26): each action that a grant allows is one that the actor may do in the module now, and it
 * ends when the actor's own grant or role does, or before. Administrators of modules have all. What the actor loses
 * later does not end what was granted before.
 *
 * Call it under `lockRights`: otherwise the actor's own grant could be taken meanwhile.
 *
 * @param now milliseconds since the epoch
 * @throws Problem `role.grant-exceeds-own` that names the actions, or the end of the actor's own grant.
 */
export async function assertWithinOwnModule(tx: Tx, grant: ModuleGrant, now: number): Promise<void> {
  const { agent_name: name, expires_at } = grant;
  const granted = moduleActions.filter((action) => grant[`can_${action}`]);
  if (granted.length === 0) return;
  const rights = await ownRights(tx);
  const grants = await moduleGrants(tx, tx.actor, tx.actor.user_id);
  const lacking = granted.filter((action) => !can({ ...rights, roles: [] }, null, { type: 'module', name, action, grants }, now).allowed);
  const byModule = lacking.length > 0 ? [] : [grants.find(({ agent_name }) => agent_name === name)?.expires_at ?? null];
  const ends = [...byModule, ...(isModuleAdmin(rights.roles) ? await endsOfModuleAdmin(tx) : [])];
  if (ends.length === 0) {
    throw new Problem({
      code: 'role.grant-exceeds-own',
      detail: `You do not hold in ${name} yourself: ${lacking.join(', ')}.`,
      members: { missing_permissions: lacking.map((action) => `agent-module:${name}:${action}`) },
    });
  }
  const own = ends.reduce((latest, end) => (isLaterEnd(end, latest) ? end : latest));
  if (!isLaterEnd(expires_at, own)) return;
  throw new Problem({
    code: 'role.grant-exceeds-own',
    detail: `You hold ${name} until ${own} yourself: what you grant cannot end later.`,
  });
}

/** When the roles end that let the actor do everything in every module; null for one without an end. */
async function endsOfModuleAdmin(tx: Tx): Promise<(string | null)[]> {
  const held = await read(tx, tx.actor, activeRoles().where('a.user_id', '=', tx.actor.user_id));
  return held.filter(({ code }) => isModuleAdmin([code])).map(({ valid_until }) => valid_until);
}

/**
 * Refuses an end that has passed already.
 *
 * @param now milliseconds since the epoch
 * @throws Problem `request.invalid` at `/expires_at`.
 */
export function assertEndsAhead(expiresAt: string | null, now: number): void {
  if (expiresAt !== null && Date.parse(expiresAt) <= now) throw invalidEnd('must be in the future');
}

/**
 * Refuses an end that does not extend: it is in the future, and later than the present one.
 *
 * @throws Problem `request.invalid` at `/expires_at`.
 */
export function assertExtends(expiresAt: string | null, presentEnd: string | null, now: number): void {
  assertEndsAhead(expiresAt, now);
  if (isLaterEnd(expiresAt, presentEnd)) return;
  throw invalidEnd(presentEnd === null ? 'cannot be extended: the permission has no end' : `must be later than ${presentEnd}`);
}

function invalidEnd(detail: string): Problem {
  return invalidInput([{ pointer: '/expires_at', detail }]);
}
