import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { activeRolloutStatuses } from '../../domain/config/config-rollout.ts';
import type { RolloutPlan } from '../../domain/config/config-rollout.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { DeploymentKind } from '../../entities/config/environment-config.entity.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { Authority } from '../actions/action.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { uuid } from '../../platform/value-schemas.ts';

/** For how many days after its approval a digest can be rolled back to without another approval. */
export const rollbackWindowDays = 30;

/** A deployment to record; its workflow carries it out. */
interface NewDeployment {
  readonly environment: EnvironmentName;
  readonly kind: DeploymentKind;
  readonly batch_id: string;
  readonly position: number;
  readonly proposal_id: string | null;
  readonly config_version: number;
  readonly previous_version: number | null;
  readonly digest: string;
  readonly plan: RolloutPlan;
  readonly reason: string | null;
}

/** @throws Problem `rollout.active` with the deployment that is under way in one of the environments. */
export async function assertNoActiveRollout(tx: Tx, environments: readonly EnvironmentName[]): Promise<void> {
  const active = await tx.sql
    .selectFrom('admin_deployments')
    .where('environment', 'in', [...environments])
    .where('status', 'in', [...activeRolloutStatuses])
    .select(['id', 'environment', 'status'])
    .executeTakeFirst();
  if (active === undefined) return;
  throw new Problem({
    code: 'rollout.active',
    detail: `A rollout is ${active.status} in ${active.environment}. Wait for its end, or abort it.`,
    members: { deployment_id: active.id, environment: active.environment },
  });
}

/** Records a deployment as pending, with its audit entry. @returns its id. */
export async function insertDeployment(tx: Tx, deployment: NewDeployment, authority: Authority): Promise<string> {
  const id = randomUUID();
  const approval_id = authority.kind === 'approval' ? authority.approval_id : null;
  await tx.sql
    .insertInto('admin_deployments')
    .values({
      ...deployment,
      id,
      tenant_id: tx.actor.tenant_id,
      plan: jsonb(deployment.plan),
      requested_by: tx.actor.user_id,
      approval_id,
    })
    .execute();
  const { plan, ...facts } = deployment;
  tx.audit({
    event: `deployment.${deployment.kind}`,
    action: 'create',
    resource_type: 'deployment',
    resource_id: id,
    new_values: { ...facts, strategy: plan.strategy, dry_run: plan.dry_run, authority },
  });
  return id;
}

/** The result of an action that records deployments. */
const startedBatch = z.object({ batch_id: uuid });

/** The batch in the result of an action that records deployments. */
export function batchIdOf(result: JsonObject): string {
  return startedBatch.parse(result).batch_id;
}

/**
 * A rollout by which people have approved a digest within the window and which ran to its end, if the deployment that is to be
 * gone back to has done so too; at most one row. A bypass is no approval, and what guards have put back was approved as
 * something else.
 */
export function approvedDeploymentQuery(
  environment: EnvironmentName,
  target: { readonly digest: string; readonly deployment_id: string },
) {
  return kysely
    .selectFrom('admin_deployments as d')
    .innerJoin('admin_approvals as a', 'a.id', 'd.approval_id')
    .innerJoin('admin_deployments as t', (join) => join.on('t.id', '=', target.deployment_id))
    .where('t.status', '=', 'succeeded')
    .where('d.environment', '=', environment)
    .where('d.digest', '=', target.digest)
    .where('d.kind', '=', 'rollout')
    .where('d.status', '=', 'succeeded')
    .where(sql<boolean>`d.plan->>'dry_run' = 'false'`)
    .where('a.bypassed_by', 'is', null)
    .limit(1)
    .where('a.executed_at', '>', sql<string>`now() - make_interval(days => ${rollbackWindowDays})`)
    .select(['d.id', 'd.approval_id']);
}
