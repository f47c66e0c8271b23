import { isWeaker, safeGate, safePolicy } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Action } from './action.ts';

/** The gate in force for an action in an environment, and the policy a request is opened under. */
export interface EffectiveGate {
  readonly gate: GateLevel;
  readonly policy: ApprovalPolicy;
}

/** The row that decides: one for exactly this environment before one for any. */
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
      'bypassers',
    ]);
}

/** A written row, as {@link gatePolicyQuery} gives it. */
export interface GatePolicyRow extends ApprovalPolicy {
  readonly gate: GateLevel;
}

/**
 * The gate in force: the written one or the safe default, and never less than the action's floor (S2-68).
 *
 * @param action undefined for a name that a route guards by policy although nothing can be requested under it.
 */
export function gateInForce(
  action: Action | undefined,
  environment: EnvironmentName | null,
  written: GateLevel | undefined,
): GateLevel {
  if (action === undefined) return written ?? safeGate(environment);
  const chosen = written ?? action.safeGate(environment);
  const floor = action.floor(environment);
  return isWeaker(chosen, floor) ? floor : chosen;
}

/** Gate and policy in force. A row whose gate was raised by the floor has no steps, so the safe ones stand in. */
export function effectiveGate(
  action: Action,
  environment: EnvironmentName | null,
  row: GatePolicyRow | undefined,
): EffectiveGate {
  const gate = gateInForce(action, environment, row?.gate);
  if (row === undefined) return { gate, policy: safePolicy };
  const { gate: _written, ...policy } = row;
  return { gate, policy: policy.steps.length > 0 ? policy : { ...policy, steps: safePolicy.steps } };
}
