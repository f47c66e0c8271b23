import { safeGate, safePolicy, strongestGate } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import type { GateEffect } from '../../domain/approval/gate-strength.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import type { Action, PreparedAction } from './action.ts';

/** The gate policy in force: the one of exactly this environment, else the one for any. */
export function gatePolicyQuery(action: string, environment: EnvironmentName | null) {
  return kysely
    .selectFrom('admin_approval_policies')
    .where('action', '=', action)
    .where('environment', 'in', environment === null ? ['any'] : ['any', environment])
    .orderBy((eb) => eb('environment', '=', 'any'))
    .limit(1)
    .select([
      'gate',
      'steps',
      'review_window_seconds',
      'execution_window_seconds',
      'reminder_interval_seconds',
      'bypass_review_seconds',
      'independence_days',
      'bypassers',
    ]);
}

/** The gate policy in force in one place, of the rows of one action: by the rule of {@link gatePolicyQuery}. */
export function rowInForce<Row extends { readonly environment: EnvironmentName | 'any' }>(
  rows: readonly Row[],
  environment: EnvironmentName | null,
): Row | undefined {
  return rows.find((row) => row.environment === environment) ?? rows.find((row) => row.environment === 'any');
}

/** A gate policy, as {@link gatePolicyQuery} returns it. */
export interface GatePolicyRow extends ApprovalPolicy {
  readonly gate: GateLevel;
}

/**
 * The gate in force: that of the gate policy or the safe default, never weaker than the action's floor (S2-68) nor than what
 * this very change demands.
 *
 * @param action undefined for a name that only a route's gate knows, so that no request can be opened for it.
 * @param written the gate of the gate policy, undefined without one.
 * @param demanded what the change needs because of what it touches.
 */
export function gateInForce(
  action: Action | undefined,
  environment: EnvironmentName | null,
  written: GateLevel | undefined,
  demanded: GateLevel = 'none',
): GateLevel {
  if (action === undefined) return written ?? safeGate(environment);
  return strongestGate([written ?? action.safeGate(environment), action.floor(environment), demanded]);
}

/** Gate and approval policy in force. A row whose gate was raised has no steps, so it gets the safe ones. */
export function effectiveGate(
  action: Action,
  environment: EnvironmentName | null,
  row: GatePolicyRow | undefined,
  demanded: GateLevel = 'none',
): GateEffect {
  const gate = gateInForce(action, environment, row?.gate, demanded);
  if (row === undefined) return { gate, policy: safePolicy };
  const { gate: _written, ...policy } = row;
  return { gate, policy: policy.steps.length > 0 ? policy : { ...policy, steps: safePolicy.steps } };
}

/** Gate and approval policy for a change, as far as nothing else is written for it by the action itself. */
export async function gateOf(db: ReadSource, scope: ReadScope, prepared: PreparedAction): Promise<GateEffect> {
  const { action, environment } = prepared;
  const demanded = await prepared.demandedGate(db, scope);
  const [row] = await read(db, scope, gatePolicyQuery(action.name, environment));
  const effect = effectiveGate(action, environment, row, demanded);
  const policy = effect.gate === 'approval' ? await prepared.policy(db, scope) : null;
  return policy === null ? effect : { ...effect, policy };
}
