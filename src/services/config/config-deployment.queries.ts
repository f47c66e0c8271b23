import { sql } from 'kysely';
import type { Actor, ActorRef } from '../../domain/shared/actor.ts';
import type { RolloutStatus } from '../../domain/config/config-rollout.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read, readAll } from '../../platform/database/read.ts';
import type { ReadSource, ReadDeps } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import { ledgerColumns } from './config-ledger.queries.ts';

/** Columns of a deployment in lists and answers. */
export const deploymentColumns = [
  'id',
  'environment',
  'kind',
  'batch_id',
  'position',
  'proposal_id',
  'config_version',
  'previous_version',
  'digest',
  'plan',
  'status',
  'stage',
  'candidate_percentage',
  'outcome',
  'reason',
  'requested_by',
  'approval_id',
  'created_at',
  'started_at',
  'ended_at',
  'updated_at',
] as const;

const deployments = () => kysely.selectFrom('admin_deployments').select(deploymentColumns);

type Deployment = Awaited<ReturnType<ReturnType<typeof deployments>['execute']>>[number];

/** Rows of the ledger that one deployment shows at most; a rollout has fifty stages. */
const maxLedgerRows = 500;

/** Deployments that pass the filters; what is left out does not narrow the list. */
export function deploymentsQuery(filters: {
  readonly environment?: EnvironmentName | undefined;
  readonly status?: RolloutStatus | undefined;
  readonly batch_id?: string | undefined;
}) {
  const { environment, status, batch_id } = filters;
  return deployments().where((eb) => eb.and({ environment, status, batch_id }));
}

/** A deployment of the caller's tenant. @throws Problem `resource.not-found` */
export async function findDeployment({ db }: ReadDeps, actor: Actor, id: string): Promise<Deployment> {
  const [deployment] = await read(db, actor, deployments().where('id', '=', id));
  if (deployment === undefined) throw notFound('deployment');
  return deployment;
}

/** {@link findDeployment} with its rows of the ledger, oldest first; one round trip. */
export async function findDeploymentWithLedger({ db }: ReadDeps, actor: Actor, id: string) {
  const [[deployment], ledger] = await readAll(db, actor, [
    deployments().where('id', '=', id),
    kysely
      .selectFrom('admin_deployment_events')
      .where('deployment_id', '=', id)
      .orderBy('seq')
      .limit(maxLedgerRows)
      .select(ledgerColumns),
  ] as const);
  if (deployment === undefined) throw notFound('deployment');
  return { ...deployment, ledger };
}

/** The deployments of a batch in the order in which they roll out. */
export function batchDeploymentsQuery(batchId: string) {
  return deployments().where('batch_id', '=', batchId).orderBy('position');
}

/** Whether a part of a batch has not begun. */
export async function isBatchPending(db: ReadSource, actor: ActorRef, batchId: string): Promise<boolean> {
  const pending = kysely.selectFrom('admin_deployments').where('batch_id', '=', batchId).where('status', '=', 'pending');
  return (await read(db, actor, pending.select('id').limit(1))).length > 0;
}

/** A batch of any tenant that is under way and has not moved for a while. */
interface DueBatch {
  readonly tenant_id: string;
  readonly batch_id: string;
  readonly requested_by: string | null;
}

/** Batches of all tenants that have not moved for `quietSeconds`; at most `limit`. */
export function dueBatchesQuery(quietSeconds: number, limit: number) {
  const statement = sql<DueBatch>`select * from config_batches_due(${quietSeconds}, ${limit})`;
  return { compile: () => statement.compile(kysely) };
}
