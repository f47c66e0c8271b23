import { isWeaker, safeGate, safePolicy } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Action } from './action.ts';

/** The gate in force for an action in an environment, and the approval policy that a request is opened under. */
interface EffectiveGate {
  readonly gate: GateLevel;
  readonly policy: ApprovalPolicy;
}

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
      'bypassers',
    ]);
}

/** A gate policy, as {@link gatePolicyQuery} returns it. */
interface GatePolicyRow extends ApprovalPolicy {
  readonly gate: GateLevel;
}

/**
 * The gate in force: that of the gate policy or the safe default, and never weaker than the action's floor (S2-68).
 *
 * @param action undefined for a name that only a route's gate knows, so that no request can be opened for it.
 * @param written the gate of the gate policy, undefined without one.
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

/** Gate and approval policy in force. A row whose gate the floor has raised has no steps, so it gets the safe ones. */
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
