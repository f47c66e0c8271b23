import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { lockEnvironment } from './environment-config.repository.ts';

/** The columns of a deployment that rules and workflow need. */
export const deploymentColumns = [
  'id',
  'environment',
  'kind',
  'batch_id',
  'position',
  'config_version',
  'previous_version',
  'digest',
  'plan',
  'status',
  'stage',
  'step',
  'candidate_percentage',
  'fence',
  'run_id',
  'approval_id',
  'outcome',
] as const;

/** Finds a deployment and locks it after its environment, which is the order of every writer. */
export async function lockDeployment(tx: Tx, id: string) {
  const found = await tx.sql
    .selectFrom('admin_deployments')
    .where('id', '=', id)
    .select('environment')
    .executeTakeFirst();
  if (found === undefined) throw notFound('deployment');
  const slot = await lockEnvironment(tx, found.environment);
  const row = await tx.sql
    .selectFrom('admin_deployments')
    .where('id', '=', id)
    .select(deploymentColumns)
    .forUpdate()
    .executeTakeFirstOrThrow();
  return { slot, row };
}

/** A deployment as it is stored. */
export type DeploymentRow = Awaited<ReturnType<typeof lockDeployment>>['row'];

/** The parts of a change in their order, without what its own undo has added. */
export async function findBatch(tx: Tx, batchId: string) {
  return tx.sql
    .selectFrom('admin_deployments')
    .where('batch_id', '=', batchId)
    .where('kind', '!=', 'undo')
    .orderBy('position')
    .select(['id', 'environment', 'plan', 'status', 'step', 'stage', 'kind'])
    .execute();
}
