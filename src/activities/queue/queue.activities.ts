import { actorOfRef } from '../../domain/shared/actor.ts';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assertQueueCapability } from '../../platform/outbound/queue-provider.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { commandUnitOfWork } from '../../services/commands/command.repository.ts';
import { cleanBatchOfJobs, failCleaning } from '../../services/queue/queue-clean.service.ts';
import {
  abandonPause,
  acceptResume,
  beginPause,
  confirmPause,
} from '../../services/queue/queue-pause.repository.ts';
import { releaseQueue, resumeInEngine } from '../../services/queue/queue-state.service.ts';
import { findQueue } from '../../services/queue/queue.queries.ts';
import { lockQueue } from '../../services/queue/queue.repository.ts';
import { queueCleanWorkflowId } from '../../workflows/queue/queue-clean.contract.ts';
import type { QueueCleanActivities, QueueCleanInput } from '../../workflows/queue/queue-clean.contract.ts';
import { queuePauseWorkflowId } from '../../workflows/queue/queue-pause.contract.ts';
import type { QueuePauseActivities } from '../../workflows/queue/queue-pause.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { createQueueRetryActivities } from './queue-bulk-retry.activities.ts';

type Deps = Pick<ActivityDeps, 'db' | 'keyring' | 'queues'>;

/** The activities of all workflows of queues. */
export function createQueueActivities(deps: Deps) {
  return { ...pauseActivities(deps), ...cleanActivities(deps), ...createQueueRetryActivities(deps) };
}

function pauseActivities(deps: Deps): QueuePauseActivities {
  const acting = ({ actor, queue_id }: { actor: ActorRef; queue_id: string }) =>
    actorOfRef(actor, queuePauseWorkflowId(actor.tenant_id, queue_id));
  const inPause = <Result>(input: { actor: ActorRef; queue_id: string }, work: (tx: Tx) => Promise<Result>) =>
    unitOfWork(deps.db, acting(input), work);
  return {
    beginQueuePause: (input) =>
      asActivity(() =>
        commandUnitOfWork(deps, acting(input), input.command_id, async (tx) => {
          const { provider } = await lockQueue(tx, { id: input.queue_id });
          assertQueueCapability(deps.queues.of(provider), 'pause');
          await beginPause(tx, input, () => consumeMfaProof(tx, input.mfa_proof_id, tx.actor));
        }),
      ),
    applyQueuePause: (input) =>
      asActivity(async () => {
        const queue = await findQueue(deps, input);
        await deps.queues.of(queue.provider).pause(queue);
        const isInForce = await inPause(input, (tx) => confirmPause(tx, input));
        // This attempt was given up, and the pause withdrawn, before the engine has answered it.
        if (!isInForce) await releaseQueue(deps, acting(input), input.queue_id);
      }),
    releaseQueue: (input) => asActivity(() => releaseQueue(deps, acting(input), input.queue_id)),
    abandonQueuePause: (input) => asActivity(() => inPause(input, (tx) => abandonPause(tx, input))),
    acceptQueueResume: (input) =>
      asActivity(() =>
        commandUnitOfWork(deps, acting(input), input.command_id, (tx) =>
          acceptResume(tx, input, () => consumeMfaProof(tx, input.mfa_proof_id, tx.actor)),
        ),
      ),
    endQueuePause: (input) => asActivity(() => resumeInEngine(deps, acting(input), input)),
  };
}

function cleanActivities(deps: Deps): QueueCleanActivities {
  const actorOf = (input: QueueCleanInput) => actorOfRef(input.actor, queueCleanWorkflowId(input));
  return {
    cleanQueueBatch: (input) => asActivity(() => cleanBatchOfJobs(deps, actorOf(input), input)),
    failQueueClean: (input) => asActivity(() => failCleaning(deps, actorOf(input), input)),
  };
}
