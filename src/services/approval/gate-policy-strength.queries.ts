import { isWeaker } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import { robustnessFault } from '../../domain/approval/approval-quorum.ts';
import type { RobustnessFault } from '../../domain/approval/approval-quorum.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import { safePolicy } from '../../domain/approval/approval-gate.ts';
import { strictest, weakens } from '../../domain/approval/gate-strength.ts';
import type { GateEffect } from '../../domain/approval/gate-strength.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read, readAll } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { effectiveGate, rowInForce } from '../actions/gate-policy.ts';
import type { Action } from '../actions/action.ts';
import type { GatePolicyRow } from '../actions/gate-policy.ts';
import { independenceOf } from '../identity/account-act/account-act.queries.ts';
import { deciders, decidersQuery, requestersQuery, rightsOfRows } from './eligible-people.queries.ts';

/** The gate policy of one place; null where it is removed. */
export interface PolicyChange {
  readonly environment: EnvironmentName | 'any';
  readonly policy: GatePolicyRow | null;
}

/** The places in which a gate can differ: without an environment, and in each. */
const places: readonly (EnvironmentName | null)[] = [null, ...environmentNames];

type Rows = readonly (GatePolicyRow & { readonly environment: EnvironmentName | 'any' })[];

function rowsQuery(action: string) {
  return kysely
    .selectFrom('admin_approval_policies')
    .where('action', '=', action)
    .select(['environment', 'gate', 'steps', 'review_window_seconds', 'execution_window_seconds'])
    .select(['reminder_interval_seconds', 'bypass_review_seconds', 'independence_days', 'bypassers']);
}

/** The effect of some rows in one place, with the inheritance of `any` and the floors. */
function effectIn(action: Action, rows: Rows, place: EnvironmentName | null, demanded: GateLevel): GateEffect {
  return effectiveGate(action, place, rowInForce(rows, place), demanded);
}

/**
 * What a written or removed gate policy weakens: the effects that hold now where the new ones may guard less. Compared by
 * effect in all places, so that a row of one environment over a strict one for any is seen (R6), and as it is where a change
 * demands an approval whatever is written: there the row says who gives it.
 */
export async function weakenedBy(
  db: ReadSource,
  scope: ReadScope,
  action: Action,
  change: PolicyChange,
): Promise<GateEffect[]> {
  const before: Rows = await read(db, scope, rowsQuery(action.name));
  const others = before.filter(({ environment }) => environment !== change.environment);
  const after: Rows = change.policy === null ? others : [...others, { ...change.policy, environment: change.environment }];
  const demands: GateLevel[] = action.dependsOn.length === 0 ? ['none'] : ['none', 'approval'];
  return places.flatMap((place) =>
    demands.flatMap((demanded) => {
      const old = effectIn(action, before, place, demanded);
      return weakens(old, effectIn(action, after, place, demanded)) ? [old] : [];
    }),
  );
}

/**
 * The policy by which a weakening is approved: the strictest of those that get weaker, or the safe one where that could put
 * itself out of action, so that a policy which has ceased to be robust can be replaced (R6). Only requesters who decide count for
 * that: to the account of anybody else one person alone can do something, and so could tie it to those who would be missing.
 */
export async function policyOfWeakening(
  db: ReadSource,
  scope: ReadScope,
  action: Action,
  weakened: readonly GateEffect[],
): Promise<ApprovalPolicy> {
  const guarded = weakened.filter(({ gate }) => !isWeaker(gate, 'approval'));
  const [first, ...rest] = guarded;
  if (first === undefined) return safePolicy;
  const { policy } = strictest([first, ...rest]);
  return (await policyFault(db, scope, action, policy, 'deciders')) === null ? policy : safePolicy;
}

/**
 * Why a policy could put itself out of action, or null: see {@link robustnessFault}.
 *
 * @param among whose requests it has to serve.
 */
export async function policyFault(
  db: ReadSource,
  scope: ReadScope,
  action: Action,
  { steps }: Pick<ApprovalPolicy, 'steps'>,
  among: 'everybody' | 'deciders' = 'everybody',
): Promise<RobustnessFault | null> {
  const [people, asking] = await readAll(db, scope, [decidersQuery(), requestersQuery(action.permission)] as const);
  const everybody = deciders(rightsOfRows(people));
  const decide = new Set(everybody.map(({ user_id }) => user_id));
  const requesters = [...new Set(asking.map(({ user_id }) => user_id))].filter((id) => among === 'everybody' || decide.has(id));
  const independence = await independenceOf(db, scope, [...decide, ...requesters]);
  return robustnessFault(steps, everybody, independence, requesters);
}
