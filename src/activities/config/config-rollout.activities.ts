import { findBatch } from '../../services/config/config-deployment.repository.ts';
import type { DeploymentRow } from '../../services/config/config-deployment.repository.ts';
import { beginDeployment, stepDeployment } from '../../services/config/config-rollout.service.ts';
import type { SteppedDeployment } from '../../services/config/config-rollout.service.ts';
import { undoDeployment } from '../../services/config/config-undo.service.ts';
import { actorOfRef } from '../../domain/shared/actor.ts';
import type { Actor, ActorRef } from '../../domain/shared/actor.ts';
import type { Measurement } from '../../domain/config/config-guard.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { commandUnitOfWork } from '../../services/commands/command.repository.ts';
import { putRefresh } from '../../services/commands/workflow-start.repository.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { notifyOfRollout } from '../../services/config/config-rollout-notification.service.ts';
import { startDueBatches } from '../../services/config/config-sweep.service.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import { configBatchWorkflowId } from '../../workflows/config/config-rollout.contract.ts';
import type {
  BatchPart,
  ConfigRolloutActivities,
  RolloutState,
  StepRollout,
} from '../../workflows/config/config-rollout.contract.ts';
import type { ConfigSweepActivities } from '../../workflows/config/config-sweep.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { createMeasureGuard } from './guard-measurement.ts';

type Deps = Pick<ActivityDeps, 'db' | 'keyring' | 'outbound' | 'temporal' | 'log'>;

/** The activities of rollouts and of their sweep. Each write is one short transaction that may be run twice. */
export function createConfigRolloutActivities(deps: Deps): ConfigRolloutActivities & ConfigSweepActivities {
  const { db } = deps;
  const notify = createNotify(deps);
  const measure = createMeasureGuard(deps);
  return {
    loadRolloutBatch: ({ actor, batch_id }) =>
      asActivity(async () => {
        const acting = actorOfRef(actor, configBatchWorkflowId(actor.tenant_id, batch_id));
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
    announceRollout: ({ actor, ...news }) =>
      asActivity(() => notifyOfRollout({ db, notify }, actingFor(actor, news.deployment_id), news)),
    sweepRollouts: () => startDueBatches(deps),
  };
}

function actingFor(ref: ActorRef, deploymentId: string): Actor {
  return actorOfRef(ref, `deployment/${ref.tenant_id}/${deploymentId}`);
}

async function step(deps: Deps, input: StepRollout): Promise<SteppedDeployment> {
  const { actor: ref, mfa_proof_id, command_id, reason: _reason, ...request } = input;
  const actor = actingFor(ref, input.deployment_id);
  return commandUnitOfWork(deps, actor, command_id, async (tx) => {
    const row = await stepDeployment(tx, request);
    // An earlier attempt of this activity has made the step, and its transaction has consumed the proof.
    if (mfa_proof_id !== null && !row.is_repetition) await consumeMfaProof(tx, mfa_proof_id, actor);
    const { id: deployment_id, environment } = row;
    putRefresh(tx, command_id, 'rollout-refresh', { environment, deployment_id, step: row.step });
    return row;
  });
}

function stateOf(row: DeploymentRow): RolloutState {
  const { id, status, stage, fence, candidate_percentage } = row;
  return { deployment_id: id, status, stage, step: row.step, fence: fence ?? 0, candidate_percentage };
}
