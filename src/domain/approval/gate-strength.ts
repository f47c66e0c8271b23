import { isWeaker } from './approval-gate.ts';
import type { GateLevel } from './approval-gate.ts';
import { defaultIndependenceDays } from './approval-policy.ts';
import type { ApprovalPolicy, ApprovalStep } from './approval-policy.ts';

/** What guards an action in one place: the gate in force, and whose approval it takes. */
export interface GateEffect {
  readonly gate: GateLevel;
  readonly policy: ApprovalPolicy;
}

/**
 * True unless `after` certainly guards at least as well as `before` (R6, T-10). Of two gates `approval` it does only if
 * every step is kept in order with a quorum at least as high and the same or fewer roles and users, nobody more may break
 * the glass, and neither the days of independence shrink nor the windows of execution and of bypass reviews grow.
 */
export function weakens(before: GateEffect, after: GateEffect): boolean {
  if (isWeaker(after.gate, before.gate)) return true;
  if (before.gate !== 'approval') return false;
  const [old, next] = [before.policy, after.policy];
  return (
    !keepsSteps(old.steps, next.steps) ||
    !isSubset(next.bypassers, old.bypassers) ||
    independenceDaysOf(next) < independenceDaysOf(old) ||
    next.execution_window_seconds > old.execution_window_seconds ||
    next.bypass_review_seconds > old.bypass_review_seconds
  );
}

/** The strictest of some effects: the first that none of the others is certainly stricter than. */
export function strictest(effects: readonly [GateEffect, ...GateEffect[]]): GateEffect {
  const isStricter = (one: GateEffect, than: GateEffect) => !weakens(than, one) && weakens(one, than);
  return effects.find((one) => !effects.some((other) => isStricter(other, one))) ?? effects[0];
}

/** Days after which what an approved request did to an account counts as settled. */
export function independenceDaysOf(policy: ApprovalPolicy): number {
  return policy.independence_days ?? defaultIndependenceDays;
}

/** True when each old step has, in order, a new one of its own that asks for at least as much. */
function keepsSteps(old: readonly ApprovalStep[], next: readonly ApprovalStep[]): boolean {
  let from = 0;
  for (const step of old) {
    // The earliest that fits leaves the most for the steps behind it.
    const at = next.findIndex((candidate, index) => index >= from && asksAsMuch(step, candidate));
    if (at === -1) return false;
    from = at + 1;
  }
  return true;
}

function asksAsMuch(old: ApprovalStep, next: ApprovalStep): boolean {
  return next.quorum >= old.quorum && isSubset(next.roles, old.roles) && isSubset(next.users, old.users);
}

function isSubset(some: readonly string[], all: readonly string[]): boolean {
  return some.every((one) => all.includes(one));
}
