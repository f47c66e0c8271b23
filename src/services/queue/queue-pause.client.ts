import { WithStartWorkflowOperation } from '@temporalio/client';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import {
  beginPauseUpdate,
  queuePauseStartOptions,
  queuePauseWorkflowId,
  queuePauseWorkflowType,
  resumeUpdate,
  resumedSignal,
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
export async function startPause(
  { temporal }: Deps,
  actor: Actor,
  pause: PauseRequest,
  { command_id, waits_until }: WorkflowCommand,
): Promise<void> {
  const pause_id = command_id;
  const input = { ...pause, pause_id, command_id, actor: actorRef(actor) };
  await temporal.call(
    (client) =>
      client.workflow.executeUpdateWithStart(beginPauseUpdate, {
        updateId: command_id,
        args: [{ pause_id }],
        startWorkflowOperation: new WithStartWorkflowOperation(queuePauseWorkflowType, {
          ...queuePauseStartOptions(input),
          taskQueue: temporal.taskQueue,
          // A pause in force refuses the update of this one; a start whose answer was lost is found again.
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      }),
    waits_until,
  );
}

/**
 * Ends the pause of a queue before its time; returns when the queue runs again.
 *
 * @throws Problem `queue.not-paused`, or 404 when no workflow holds the queue paused.
 */
export async function sendResume(
  { temporal }: Deps,
  queueId: string,
  message: ResumeMessage,
  { command_id: updateId, waits_until }: WorkflowCommand,
): Promise<void> {
  const workflowId = queuePauseWorkflowId(message.actor.tenant_id, queueId);
  await temporal.call(
    (client) => client.workflow.getHandle(workflowId).executeUpdate(resumeUpdate, { args: [message], updateId }),
    waits_until,
  );
}

/**
 * Tells the workflow of a pause that somebody has ended it.
 *
 * @throws Problem 404 when no workflow holds the queue paused.
 */
export function sendResumed(
  { temporal }: Deps,
  tenantId: string,
  { queue_id, pause_id }: { readonly queue_id: string; readonly pause_id: string },
): Promise<void> {
  const workflowId = queuePauseWorkflowId(tenantId, queue_id);
  return temporal.call((client) => client.workflow.getHandle(workflowId).signal(resumedSignal, { pause_id }));
}
