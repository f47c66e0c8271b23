import type { GateLevel } from '../../../domain/approval/approval-gate.ts';
import { permissionsBeyond } from '../../../domain/identity/role-hierarchy.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import { eligibleRoles, giveSay, takesTwo, touchesDecider } from './decider.queries.ts';

/** What the gates of this file depend on, for the list of gates. */
export const dependsOnDecider = ['decider', 'pair'] as const;

/** What the gate of giving somebody roles depends on. */
export const dependsOnSay = ['decider', 'eligible', 'pair'] as const;

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

/** The gate of what gives somebody roles (R5): one that decides, or one whose holders a policy asks. */
export async function gateOfRoles(db: ReadSource, scope: ReadScope, roleIds: readonly string[]): Promise<GateLevel> {
  return gateOnceThereIsAPair(db, scope, await giveSay(db, scope, roleIds));
}

/**
 * Rights over rights, people and tokens: who holds them could give themselves a second vote. What only reads gives no power
 * over anybody.
 */
const rightsOverRights = /^(?:approval|approval-policy|role|user|service-token):(?!read$)|^tenant:manage$/;

/** What the gates of roles depend on, for the list of gates. */
export const dependsOnRights = ['rights', 'decider', 'pair'] as const;

/** A change of what a role gives. */
interface RightsChange {
  /** Null where there was no role. */
  readonly before: readonly string[] | null;
  /** Null where none remains. */
  readonly after: readonly string[] | null;
  /** Whether the role, or one that inherits from it, gives the right to decide before the change. */
  readonly decides: boolean;
  /** The codes of the ancestors that it has and would have, where it moves: whoever holds it is eligible by those too (R5). */
  readonly ancestors?: { readonly before: readonly string[]; readonly after: readonly string[] };
}

/**
 * The gate of a change of what a role gives. Of a role that decides any permission counts, also one that is taken away: it
 * changes the rights of everybody who decides by it (R4). A role that decides only after the change is given `approval:decide`,
 * which is a right over rights.
 */
export async function gateOfRights(db: ReadSource, scope: ReadScope, { before, after, decides, ancestors }: RightsChange): Promise<GateLevel> {
  const touched = [...permissionsBeyond(before ?? [], after ?? []), ...permissionsBeyond(after ?? [], before ?? [])];
  const touchesRights = touched.some((permission) => decides || rightsOverRights.test(permission));
  return gateOnceThereIsAPair(db, scope, touchesRights || (ancestors !== undefined && (await touchesEligible(db, scope, ancestors))));
}

async function touchesEligible(db: ReadSource, scope: ReadScope, { before, after }: NonNullable<RightsChange['ancestors']>): Promise<boolean> {
  const eligible = await eligibleRoles(db, scope);
  return [...eligible].some((code) => before.includes(code) !== after.includes(code));
}
