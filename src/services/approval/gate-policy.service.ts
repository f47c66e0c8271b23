import { sql } from 'kysely';
import { isWeaker } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import { policyFaults } from '../../domain/approval/approval-policy.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { ProblemIssue } from '../../platform/problem.ts';
import { versionMismatch } from '../../platform/row-version.ts';
import { getAction } from '../actions/registry.ts';
import { candidatesQuery, deciders, rightsOfRows, rightsQuery } from './eligible-people.queries.ts';
import { gatePolicyColumns } from './gate-policy.queries.ts';

/** Which gate an action has in an environment, and whose approval it takes. */
export interface GatePolicy extends ApprovalPolicy {
  readonly action: string;
  /** `any` holds where no environment has a policy of its own. */
  readonly environment: EnvironmentName | 'any';
  readonly gate: GateLevel;
}

/**
 * Writes the gate of an action in an environment. Requests that are open keep the policy they were opened under.
 *
 * @throws Problem `request.invalid` for a policy that cannot be, `resource.conflict` when somebody else has written it
 *   meanwhile.
 */
export async function saveGatePolicy(tx: Tx, { version, ...policy }: GatePolicy & { readonly version: number }) {
  await assertSound(tx, policy);
  const before = await tx.sql
    .selectFrom('admin_approval_policies')
    .where('action', '=', policy.action)
    .where('environment', '=', policy.environment)
    .select(gatePolicyColumns)
    .forUpdate()
    .executeTakeFirst();
  if ((before?.version ?? 0) !== version) throw staleWrite(before?.version ?? 0);
  const values = {
    ...policy,
    steps: jsonb(policy.steps),
    bypassers: sql<string[]>`${policy.bypassers}::uuid[]`,
    updated_by: tx.actor.user_id,
    updated_at: sql<string>`now()`,
    version: version + 1,
  };
  const saved = await tx.sql
    .insertInto('admin_approval_policies')
    .values({ ...values, tenant_id: tx.actor.tenant_id })
    .onConflict((conflict) =>
      conflict
        .columns(['tenant_id', 'action', 'environment'])
        .doUpdateSet(values)
        .where('admin_approval_policies.version', '=', version),
    )
    .returning(gatePolicyColumns)
    .executeTakeFirst();
  if (saved === undefined) throw staleWrite(null);
  tx.audit({
    event: 'approval-policy.save',
    action: before === undefined ? 'create' : 'update',
    resource_type: 'approval_policy',
    resource_id: saved.id,
    old_values: before,
    new_values: saved,
  });
  return saved;
}

/**
 * Deletes a gate policy, so that the safe default holds again.
 *
 * @throws Problem `resource.not-found`, or `resource.version-mismatch` when it has changed since it was read.
 */
export async function deleteGatePolicy(tx: Tx, id: string, version: number): Promise<void> {
  const found = tx.sql.selectFrom('admin_approval_policies').where('id', '=', id).selectAll().forUpdate();
  const policy = await found.executeTakeFirst();
  if (policy === undefined) throw notFound('approval policy');
  if (policy.version !== version) throw versionMismatch(policy.version);
  await tx.sql.deleteFrom('admin_approval_policies').where('id', '=', id).execute();
  tx.audit({
    event: 'approval-policy.delete',
    action: 'delete',
    resource_type: 'approval_policy',
    resource_id: id,
    old_values: policy,
  });
}

/**
 * @throws Problem 422 with every fault: unknown action, a gate below the floor, quorums or bypassers that cannot be.
 */
async function assertSound(tx: Tx, body: GatePolicy): Promise<void> {
  const action = getAction(body.action);
  const issues: ProblemIssue[] = [];
  const where = body.environment === 'any' ? null : body.environment;
  const floor = action.floor(where);
  if (isWeaker(body.gate, floor)) {
    issues.push({ pointer: '/gate', detail: `must be at least '${floor}' for ${body.action} in ${body.environment}` });
  }
  if (body.gate === 'approval') {
    const { rows } = await tx.sql.executeQuery(candidatesQuery(body.steps).compile());
    for (const { path, message } of policyFaults(body, deciders(rightsOfRows(rows)))) {
      issues.push({ pointer: path, detail: message });
    }
  }
  const { rows } = await tx.sql.executeQuery(rightsQuery(body.bypassers).compile());
  const able = rightsOfRows(rows).filter(({ permissions }) => permissions.includes('approval:break-glass'));
  body.bypassers.forEach((userId, index) => {
    if (able.some(({ user_id }) => user_id === userId)) return;
    issues.push({ pointer: `/bypassers/${index}`, detail: 'must be an active person who may break the glass' });
  });
  if (issues.length > 0) throw invalidInput(issues);
}

function staleWrite(current: number | null): Problem {
  return new Problem({
    code: 'resource.conflict',
    detail: 'The policy has changed since it was read. Read it again and repeat the change.',
    ...(current === null ? {} : { members: { current_version: current } }),
  });
}

