import { jsonb } from '../../platform/database/jsonb.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { lockDeployment } from './config-deployment.repository.ts';
import type { DeploymentRow } from './config-deployment.repository.ts';
import { insertDeployment } from './config-deployment.service.ts';
import { rollbackPlan } from './config-rollback.action.ts';
import { serve } from './environment-config.repository.ts';
import type { EnvironmentSlot } from './environment-config.repository.ts';

/** The result of undoing a part. */
interface UndoResult {
  readonly deployment_id: string;
  readonly result: 'undone' | 'nothing_to_undo' | 'changed_since';
}

/**
 * Undoes a part of a change that has succeeded, because a later part has not: everybody gets the version before at
 * once. A part that somebody has changed since is left as it is, and the result says so. A repetition does nothing.
 */
export async function undoDeployment(tx: Tx, id: string): Promise<UndoResult> {
  const { slot, row } = await lockDeployment(tx, id);
  const done = row.outcome?.['undo'];
  if (typeof done === 'string') return { deployment_id: id, result: done as UndoResult['result'] };
  const result = undoResultOf(slot, row, await hasActiveRollout(tx, row));
  if (result === 'undone' && row.previous_version !== null) await serveVersionBefore(tx, slot, row, row.previous_version);
  await tx.sql
    .updateTable('admin_deployments')
    .set({ outcome: jsonb({ ...row.outcome, undo: result }), updated_at: new Date().toISOString() })
    .where('id', '=', id)
    .execute();
  tx.audit({
    event: 'deployment.undo',
    action: 'update',
    resource_type: 'deployment',
    resource_id: id,
    new_values: { environment: row.environment, result, previous_version: row.previous_version },
  });
  return { deployment_id: id, result };
}

/** True when another rollout is under way in the deployment's environment, begun or not. */
async function hasActiveRollout(tx: Tx, { environment }: DeploymentRow): Promise<boolean> {
  const active = await tx.sql
    .selectFrom('admin_deployments')
    .where('environment', '=', environment)
    .where('ended_at', 'is', null)
    .select('id')
    .executeTakeFirst();
  return active !== undefined;
}

function undoResultOf(slot: EnvironmentSlot, row: DeploymentRow, isBusy: boolean): UndoResult['result'] {
  // The first configuration of an environment stays: there is no version to go back to.
  if (row.status !== 'succeeded' || row.plan.dry_run || row.previous_version === null) return 'nothing_to_undo';
  return slot.stable_version === row.config_version && !isBusy ? 'undone' : 'changed_since';
}

async function serveVersionBefore(tx: Tx, slot: EnvironmentSlot, row: DeploymentRow, version: number): Promise<void> {
  const { digest } = await tx.sql
    .selectFrom('admin_config_versions')
    .where('environment', '=', row.environment)
    .where('config_version', '=', version)
    .select('digest')
    .executeTakeFirstOrThrow();
  const authority = row.approval_id === null ? ({ kind: 'none' } as const) : ({ kind: 'approval', approval_id: row.approval_id } as const);
  const id = await insertDeployment(
    tx,
    {
      environment: row.environment,
      kind: 'undo',
      batch_id: row.batch_id,
      position: row.position,
      proposal_id: null,
      config_version: version,
      previous_version: row.config_version,
      digest,
      plan: rollbackPlan,
      reason: `Undo of deployment ${row.id}`,
    },
    authority,
  );
  const fence = slot.fence + 1;
  await tx.sql.updateTable('admin_environment_configs').set({ fence }).where('id', '=', slot.id).execute();
  const served = { stable_version: version, candidate_version: null, candidate_percentage: 0, fence };
  const evidence = { undone_deployment: row.id };
  await serve(tx, slot, served, { event: 'undone', deployment_id: id, approval_id: row.approval_id, evidence });
  const now = new Date().toISOString();
  await tx.sql
    .updateTable('admin_deployments')
    .set({ status: 'succeeded', stage: 0, step: 1, fence, started_at: now, ended_at: now, outcome: jsonb({ status: 'succeeded', evidence }) })
    .where('id', '=', id)
    .execute();
}
