import type { GateLevel } from '../../../domain/approval/approval-gate.ts';
import { permissionsBeyond } from '../../../domain/identity/role-hierarchy.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import { giveRightToDecide, takesTwo, touchesDecider } from './decider.queries.ts';

/** What the gates of this file depend on, for the list of gates. */
export const dependsOnDecider = ['decider', 'pair'] as const;

/**
 * The gate of what touches the right to decide (R4, R5): approval once the tenant has a pair, before that a second factor,
 * because there is nobody who could approve.
 */
async function gateOnceThereIsAPair(db: ReadSource, scope: ReadScope, touches: boolean): Promise<GateLevel> {
  return touches && (await takesTwo(db, scope)) ? 'approval' : 'mfa';
}

/**
 * The gate of what changes an account, its way in, its status or its rights, by somebody else (R4). An account that decides
 * nothing may stand behind one that does, so that an act on it alone could end the pair.
 */
export async function gateOfAccount(db: ReadSource, scope: ReadScope, userId: string): Promise<GateLevel> {
  if (scope.user_id === userId) return 'mfa';
  return gateOnceThereIsAPair(db, scope, await touchesDecider(db, scope, userId));
}

/** The gate of what gives somebody roles (R5). */
export async function gateOfRoles(db: ReadSource, scope: ReadScope, roleIds: readonly string[]): Promise<GateLevel> {
  return gateOnceThereIsAPair(db, scope, await giveRightToDecide(db, scope, roleIds));
}

/**
 * Rights over rights, people and tokens: who holds them could give themselves a second vote. What only reads gives no power
 * over anybody.
 */
const rightsOverRights = /^(?:approval|approval-policy|role|user|service-token):(?!read$)|^tenant:manage$/;

/** What the gates of roles depend on, for the list of gates. */
export const dependsOnRights = ['rights', 'pair'] as const;

/**
 * The gate of a change of what a role gives, its ancestors included.
 *
 * @param before null where there was no role.
 * @param after null where none remains.
 */
export async function gateOfRights(
  db: ReadSource,
  scope: ReadScope,
  before: readonly string[] | null,
  after: readonly string[] | null,
): Promise<GateLevel> {
  const touched = [...permissionsBeyond(before ?? [], after ?? []), ...permissionsBeyond(after ?? [], before ?? [])];
  return gateOnceThereIsAPair(db, scope, touched.some((permission) => rightsOverRights.test(permission)));
}
