import { LockMode } from '@mikro-orm/core';
import { isWeaker } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import { policyFaults } from '../../domain/approval/approval-policy.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { GatePolicyEntity } from '../../entities/approval/gate-policy.entity.ts';
import { lockOne, toRow } from '../../platform/database/entity-row.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProblemIssue } from '../../platform/problem.ts';
import { assertVersion } from '../../platform/row-version.ts';
import type { Action } from '../actions/action.ts';
import { getAction } from '../actions/known-actions.ts';
import { userName } from '../identity/user-names.queries.ts';
import { policyFault } from './gate-policy-strength.queries.ts';
import { candidatesQuery, deciders, rightsOfRows, rightsQuery } from './eligible-people.queries.ts';
import { gatePolicyColumns } from './gate-policy.queries.ts';

const resource_type = 'approval_policy';

/** The gate of an action in an environment, and whose approval it takes. */
export interface GatePolicy extends ApprovalPolicy {
  readonly action: string;
  /** `any` holds where no environment has a policy of its own. */
  readonly environment: EnvironmentName | 'any';
  readonly gate: GateLevel;
}

/**
 * Writes the gate policy of an action in an environment. Open requests keep the policy they were opened under.
 *
 * @param version that was read; 0 for a gate policy that does not exist yet.
 * @throws Problem `request.invalid` for a policy that cannot be met, `resource.conflict` when somebody else has written
 *   it meanwhile.
 */
export async function saveGatePolicy(tx: Tx, { version, ...policy }: WrittenPolicy) {
  const found = await assertSavable(tx, { version, ...policy });
  const old_values = found === null ? undefined : toRow(found, gatePolicyColumns);
  const values = { ...policy, updated_by: tx.actor.user_id };
  const saved = found === null ? tx.em.create(GatePolicyEntity, values) : tx.em.assign(found, values);
  await tx.flush();
  const row = toRow(saved, gatePolicyColumns);
  tx.audit({
    event: 'approval-policy.save',
    action: found === null ? 'create' : 'update',
    resource_type,
    resource_id: row.id,
    old_values,
    new_values: row,
  });
  return row;
}

/** A gate policy with the version that was read; 0 for one that does not exist yet. */
export type WrittenPolicy = GatePolicy & { readonly version: number };

/**
 * Locks the gate policy and checks that it can be written.
 *
 * @returns the policy that is there, or null.
 * @throws Problem as {@link saveGatePolicy}.
 */
export async function assertSavable(tx: Tx, { version, ...policy }: WrittenPolicy) {
  await assertSound(tx, policy);
  const where = { action: policy.action, environment: policy.environment };
  const found = await tx.em.findOne(GatePolicyEntity, where, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if ((found?.version ?? 0) !== version) throw staleWrite(found?.version ?? 0);
  return found;
}

/**
 * Locks a gate policy that is to be deleted.
 *
 * @throws Problem `resource.not-found`, or `resource.version-mismatch` when it has changed since it was read.
 */
export async function lockGatePolicy(tx: Tx, id: string, version: number) {
  return assertVersion(await lockOne(tx, GatePolicyEntity, { id }, 'approval policy'), version);
}

/**
 * Deletes a gate policy, so that the safe default holds again.
 *
 * @returns its place.
 * @throws Problem `resource.not-found`, or `resource.version-mismatch` when it has changed since it was read.
 */
export async function deleteGatePolicy(tx: Tx, id: string, version: number): Promise<Pick<GatePolicy, 'action' | 'environment'>> {
  const policy = await lockGatePolicy(tx, id, version);
  const old_values = toRow(policy, [...gatePolicyColumns, 'tenant_id']);
  tx.em.remove(policy);
  tx.audit({ event: 'approval-policy.delete', action: 'delete', resource_type, resource_id: id, old_values });
  return old_values;
}

/**
 * @throws Problem `request.invalid` with every fault: an unknown action, a gate below the floor, quorums that cannot be
 *   met, bypassers who may not bypass.
 */
async function assertSound(tx: Tx, body: GatePolicy): Promise<void> {
  const action = getAction(body.action);
  const issues: ProblemIssue[] = [];
  if (action.isFixed) issues.push({ pointer: '/action', detail: 'has no gate policy of its own: its gate is that of what it changes' });
  const where = body.environment === 'any' ? null : body.environment;
  const floor = action.floor(where);
  if (isWeaker(body.gate, floor)) {
    issues.push({ pointer: '/gate', detail: `must be at least '${floor}' for ${body.action} in ${body.environment}` });
  }
  if (action.isEmergency && body.gate === 'approval') {
    issues.push({ pointer: '/gate', detail: 'must be mfa or none: in an emergency nobody waits for an approval' });
  } else if (body.gate === 'approval' || body.steps.length > 0) {
    // Also of a policy whose own gate is weaker: a floor, or what is changed, may ask for approval by these steps.
    const { rows } = await tx.sql.executeQuery(candidatesQuery(body.steps).compile());
    for (const { path, message } of policyFaults(body, deciders(rightsOfRows(rows)))) {
      issues.push({ pointer: path, detail: message });
    }
    if (issues.length === 0) issues.push(...(await robustnessIssues(tx, action, body)));
  }
  const { rows } = await tx.sql.executeQuery(rightsQuery(body.bypassers).compile());
  const able = rightsOfRows(rows).filter(({ permissions }) => permissions.includes('approval:break-glass'));
  body.bypassers.forEach((userId, index) => {
    if (able.some(({ user_id }) => user_id === userId)) return;
    issues.push({ pointer: `/bypassers/${index}`, detail: 'must be an active user who may break the glass' });
  });
  if (issues.length > 0) throw invalidInput(issues);
}

/** A policy that could put itself out of action is not written (R6). */
async function robustnessIssues(tx: Tx, action: Action, { steps }: GatePolicy): Promise<ProblemIssue[]> {
  const fault = await policyFault(tx, tx.actor, action, { steps });
  if (fault === null) return [];
  const votes = steps.reduce((sum, { quorum }) => sum + quorum, 0);
  if (fault.without === null) {
    return [{ pointer: '/steps', detail: `at least ${votes} people who count apart are needed; some of these stand behind others` }];
  }
  const name = await userName(tx, tx.actor, fault.without);
  const detail = `Without ${name} this could not be met: at least ${votes} people who count apart are needed.`;
  return [{ pointer: '/steps', detail }];
}

function staleWrite(current_version: number): Problem {
  return new Problem({
    code: 'resource.conflict',
    detail: 'The gate policy has changed since it was read. Read it again and repeat the change.',
    members: { current_version },
  });
}
