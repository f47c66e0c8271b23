import { randomUUID } from 'node:crypto';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import {
  beginPauseUpdate,
  queuePauseStartOptions,
  queuePauseWorkflowId,
  queuePauseWorkflowType,
  resumeUpdate,
} from '../../workflows/queue/queue-pause.contract.ts';
import type { ResumeMessage } from '../../workflows/queue/queue-pause.contract.ts';

type Deps = Pick<ProcessDeps, 'temporal'>;

/** A pause that somebody asks for; `paused_until` in milliseconds since the epoch. */
interface PauseRequest {
  readonly queue_id: string;
  readonly reason: string;
  readonly paused_until: number;
  /** Of the factor proof, which the workflow consumes. */
  readonly mfa_proof_id: string;
}

/**
 * Starts the workflow of a pause; returns when the engine has paused the queue.
 *
 * @throws Problem `queue.already-paused`, or `service.unavailable` when Temporal or the engine is unavailable.
 */
export async function startPause({ temporal }: Deps, actor: Actor, pause: PauseRequest): Promise<void> {
  const pause_id = randomUUID();
  const input = { ...pause, pause_id, actor: actorRef(actor) };
  await temporal.call((client) =>
    client.workflow.executeUpdateWithStart(beginPauseUpdate, {
      updateId: pause_id,
      args: [{ pause_id }],
      startWorkflowOperation: new WithStartWorkflowOperation(queuePauseWorkflowType, {
        ...queuePauseStartOptions(input),
        taskQueue: temporal.taskQueue,
        // A pause in force refuses the update of this one; a start whose answer was lost is found again.
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    }),
  );
}

/**
 * Ends the pause of a queue before its time; returns when the queue runs again.
 *
 * @throws Problem `queue.not-paused`, or 404 when no workflow holds the queue paused.
 */
export async function sendResume({ temporal }: Deps, queueId: string, message: ResumeMessage): Promise<void> {
  await temporal.call((client) =>
    client.workflow
      .getHandle(queuePauseWorkflowId(message.actor.tenant_id, queueId))
      .executeUpdate(resumeUpdate, { args: [message], updateId: message.resume_id }),
  );
}
