import { sql } from 'kysely';
import { beginDeployment, findBatch, stepDeployment, undoDeployment } from '../../services/config/config-rollout.service.ts';
import type { DeploymentRow, SteppedDeployment } from '../../services/config/config-rollout.service.ts';
import { actorInWorkflow, defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { Actor, ActorRef } from '../../domain/shared/actor.ts';
import type { Measurement } from '../../domain/config/config-guard.ts';
import { query } from '../../entities/kysely-schema.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import { notFound } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { configBatchWorkflowId } from '../../workflows/config/config-rollout.contract.ts';
import type {
  BatchPart,
  ConfigRolloutActivities,
  RolloutNotification,
  RolloutState,
  StepRollout,
} from '../../workflows/config/config-rollout.contract.ts';
import type { ConfigSweepActivities } from '../../workflows/config/config-sweep.contract.ts';
import { createMeasureGuard } from './config-guards.ts';
import { startConfigBatch } from '../../services/config/config-batch.client.ts';
import type { ActivityDeps } from '../deps.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import type { Notify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'outbound' | 'temporal' | 'log'>;

/** A deployment that has not moved for this long is looked after by the sweep, in seconds. */
const quietSeconds = 120;
const maxSwept = 500;

/** The hands of rollouts and of their sweep. Each write is one short transaction that may be run twice. */
export function createConfigRolloutActivities(deps: Deps): ConfigRolloutActivities & ConfigSweepActivities {
  const { db } = deps;
  const notify = createNotify(deps);
  const measure = createMeasureGuard(deps);
  return {
    loadRolloutBatch: ({ actor, batch_id }) =>
      asActivity(async () => {
        const acting = actorInWorkflow(actor, configBatchWorkflowId(actor.tenant_id, batch_id));
        const parts = await unitOfWork(db, acting, (tx) => findBatch(tx, batch_id));
        return parts.map(({ id, ...part }): BatchPart => ({ ...part, deployment_id: id }));
      }),
    beginRollout: ({ actor, deployment_id, run_id }) =>
      asActivity(async () =>
        stateOf(await unitOfWork(db, actingFor(actor, deployment_id), (tx) => beginDeployment(tx, deployment_id, run_id))),
      ),
    stepRollout: (input) => asActivity(async () => stateOf(await step(deps, input))),
    undoRolloutPart: ({ actor, deployment_id }) =>
      asActivity(() => unitOfWork(db, actingFor(actor, deployment_id), (tx) => undoDeployment(tx, deployment_id))),
    measureGuards: async ({ actor, deployment_id, environment, guards }) => {
      const subject = { actor: actingFor(actor, deployment_id), deployment_id, environment };
      return Promise.all(
        guards.map(async (guard): Promise<Measurement> => {
          try {
            return await measure(subject, guard);
          } catch (error) {
            deps.log.error({ err: error, deployment_id, guard: guard.name }, 'a guard could not be measured');
            return { kind: 'unknown', reason: 'it could not be measured' };
          }
        }),
      );
    },
    announceRollout: ({ actor, deployment_id, news, step: at }) =>
      asActivity(() => announce(deps, notify, actingFor(actor, deployment_id), { deployment_id, news, step: at })),
    sweepRollouts: () => sweep(deps),
  };
}

function actingFor(ref: ActorRef, deploymentId: string): Actor {
  return actorInWorkflow(ref, `deployment/${ref.tenant_id}/${deploymentId}`);
}

async function step({ db }: Deps, input: StepRollout): Promise<SteppedDeployment> {
  const { actor: ref, mfa_proof_id, reason: _told, ...request } = input;
  const actor = actingFor(ref, input.deployment_id);
  return unitOfWork(db, actor, async (tx) => {
    const row = await stepDeployment(tx, request);
    // Made by an earlier run of this activity, whose transaction has used the proof up already.
    if (mfa_proof_id !== null && !row.is_repetition) await consumeMfaProof(tx, mfa_proof_id, actor);
    return row;
  });
}

function stateOf(row: DeploymentRow): RolloutState {
  const { id, status, stage, fence, candidate_percentage } = row;
  return { deployment_id: id, status, stage, step: row.step, fence: fence ?? 0, candidate_percentage };
}

const headlines = {
  held: 'A rollout waits for you: its guards do not know whether it is good',
  restored: 'A rollout was taken back by its guards; the version before runs everywhere',
  succeeded: 'A configuration was rolled out',
  aborted: 'A rollout was stopped; the version before runs everywhere',
} as const satisfies Record<RolloutNotification, string>;

/** Tells whoever asked for the rollout, and every channel that listens. The same step is told once. */
async function announce(
  { db }: Deps,
  notify: Notify,
  actor: Actor,
  { deployment_id, news, step: at }: { deployment_id: string; news: RolloutNotification; step: number },
): Promise<void> {
  const [row] = await read(
    db,
    actor,
    query
      .selectFrom('admin_deployments')
      .where('id', '=', deployment_id)
      .select(['environment', 'config_version', 'requested_by', 'stage', 'digest']),
  );
  if (row === undefined) throw notFound('deployment');
  const { environment, config_version, digest, requested_by, stage } = row;
  const headline = headlines[news];
  await notify(
    actor,
    {
      event: `config.${news}`,
      event_key: `deployment/${deployment_id}/${news}/${at}`,
      subject: `${headline} (${environment})`,
      text: `${headline}.\n\nDeployment ${deployment_id} of version ${config_version} in ${environment}, stage ${stage + 1}.`,
      data: { deployment_id, environment, config_version, digest, stage, news },
    },
    requested_by === null ? [] : [requested_by],
  );
}

/** Starts what has no workflow: a batch whose start was lost, or whose workflow was terminated. */
async function sweep({ db, temporal }: Deps): Promise<number> {
  const statement = sql<{ tenant_id: string; batch_id: string; requested_by: string | null }>`
    select * from config_batches_due(${quietSeconds}, ${maxSwept})`;
  const due = await read(db, systemActor(defaultTenantId), { compile: () => statement.compile(query) });
  let started = 0;
  for (const { tenant_id, batch_id, requested_by } of due) {
    const actor: ActorRef = { tenant_id, user_id: requested_by, session_id: null, request_id: null };
    if (await startConfigBatch(temporal, { actor, batch_id })) started += 1;
  }
  return started;
}
