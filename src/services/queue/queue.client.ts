import { randomUUID } from 'node:crypto';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { acceptResume, endPause } from './queue-pause.service.ts';
import { openQueueEvent, settleQueueEvent } from './queue.repository.ts';
import type { NewQueueEvent } from './queue.repository.ts';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import { Problem } from '../../platform/problem.ts';
import type { QueueProvider } from '../../platform/outbound/queue-provider.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { UnitOfWork } from '../../platform/database/unit-of-work.ts';
import {
  beginBulkRetryUpdate,
  bulkRetryProgressQuery,
  defaultIntervalMs,
  defaultSettleMs,
  queueBulkRetryStartOptions,
  queueBulkRetryWorkflowId,
  queueBulkRetryWorkflowType,
} from '../../workflows/queue/queue-bulk-retry.contract.ts';
import type { BulkRetryCounts, BulkRetryPlan } from '../../workflows/queue/queue-bulk-retry.contract.ts';
import {
  beginPauseUpdate,
  queuePauseStartOptions,
  queuePauseWorkflowId,
  queuePauseWorkflowType,
  resumeUpdate,
} from '../../workflows/queue/queue-pause.contract.ts';
import type { QueueRow } from './queue.queries.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';

/**
 * One thing done to one job: written down with the proof that allows it, done in the engine, and settled by what came of
 * it. The engine cannot take part in a transaction, so an operation whose end nobody lived to write stays `requested`.
 */
export async function operateOnJob(
  deps: Pick<ProcessDeps, 'queues'>,
  inTransaction: UnitOfWork,
  queue: QueueRow,
  event: Omit<NewQueueEvent, 'queue_id'>,
  deed: (engine: QueueProvider) => Promise<JsonObject>,
) {
  const { id } = await inTransaction((tx) => openQueueEvent(tx, { ...event, queue_id: queue.id }));
  try {
    const details = await deed(deps.queues.of(queue.provider));
    return await inTransaction((tx) => settleQueueEvent(tx, id, { state: 'done', details }));
  } catch (error) {
    const failure = error instanceof Problem ? error.message : 'It is not known whether the engine has done it.';
    await inTransaction((tx) => settleQueueEvent(tx, id, { state: 'failed', details: { failure } }));
    throw error;
  }
}

/** The proof of a route whose gate is `mfa`, for a workflow to use up. */
function proofId(mfa: MfaProof | null): string {
  if (mfa === null) throw new Error('A queue is changed with a factor proof only.');
  return mfa.delegate();
}

/** Starts the workflow of a pause; answers when the engine has paused the queue. */
export async function startPause(
  deps: Pick<ProcessDeps, 'temporal'>,
  actor: Actor,
  mfa: MfaProof | null,
  pause: { readonly queue_id: string; readonly reason: string; readonly paused_until: number },
): Promise<void> {
  const pause_id = randomUUID();
  const input = { ...pause, pause_id, actor: actorRef(actor), mfa_proof_id: proofId(mfa) };
  await deps.temporal.call((client) =>
    client.workflow.executeUpdateWithStart(beginPauseUpdate, {
      updateId: pause_id,
      args: [{ pause_id }],
      startWorkflowOperation: new WithStartWorkflowOperation(queuePauseWorkflowType, {
        ...queuePauseStartOptions(input),
        taskQueue: deps.temporal.taskQueue,
        // A pause that is in force refuses this one; a start that was made and not answered is found again.
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    }),
  );
}

/** Ends a pause before its time; answers when the queue runs again. @throws Problem `queue.not-paused` */
export async function resumeNow(
  deps: Pick<ProcessDeps, 'db' | 'queues' | 'temporal'>,
  actor: Actor,
  mfa: MfaProof | null,
  { queue, reason }: { readonly queue: QueueRow; readonly reason: string | null },
): Promise<void> {
  const { id: queue_id, pause_id } = queue;
  if (pause_id === null) throw new Problem({ code: 'queue.not-paused', detail: 'No pause of this queue is in force.' });
  const message = { actor: actorRef(actor), resume_id: randomUUID(), reason, mfa_proof_id: proofId(mfa) };
  try {
    await deps.temporal.call((client) =>
      client.workflow
        .getHandle(queuePauseWorkflowId(actor.tenant_id, queue_id))
        .executeUpdate(resumeUpdate, { args: [message], updateId: message.resume_id }),
    );
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'resource.not-found') throw error;
    // Temporal has lost the workflow, or it ended just now: the queue must not stay paused with nobody to wake it.
    const consume = { ...message, queue_id, pause_id };
    await unitOfWork(deps.db, actor, (tx) =>
      acceptResume(tx, consume, () => consumeMfaProof(tx, message.mfa_proof_id, actor)),
    );
    await deps.queues.of(queue.provider).resume(queue);
    await unitOfWork(deps.db, actor, (tx) => endPause(tx, { queue_id, pause_id }));
  }
}

/** Starts a bulk retry. @returns its id, which is also that of its event. @throws Problem `queue.retry-running` */
export async function startBulkRetry(
  deps: Pick<ProcessDeps, 'temporal'>,
  actor: Actor,
  mfa: MfaProof | null,
  retry: { readonly queue_id: string; readonly reason: string; readonly plan: BulkRetryPlan },
): Promise<string> {
  const bulk_id = randomUUID();
  const input = {
    ...retry,
    bulk_id,
    actor: actorRef(actor),
    mfa_proof_id: proofId(mfa),
    interval_ms: defaultIntervalMs,
    settle_ms: defaultSettleMs,
    carry: null,
  };
  await deps.temporal.call((client) =>
    client.workflow.executeUpdateWithStart(beginBulkRetryUpdate, {
      updateId: bulk_id,
      args: [{ bulk_id }],
      startWorkflowOperation: new WithStartWorkflowOperation(queueBulkRetryWorkflowType, {
        ...queueBulkRetryStartOptions(input),
        taskQueue: deps.temporal.taskQueue,
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    }),
  );
  return bulk_id;
}

/** How far a running bulk retry is; null when its workflow cannot be asked or is about another one by now. */
export async function bulkRetryProgress(
  deps: Pick<ProcessDeps, 'temporal'>,
  actor: Actor,
  { queue_id, bulk_id }: { readonly queue_id: string; readonly bulk_id: string },
): Promise<BulkRetryCounts | null> {
  const id = queueBulkRetryWorkflowId(actor.tenant_id, queue_id);
  try {
    const progress = await deps.temporal.call((client) => client.workflow.getHandle(id).query(bulkRetryProgressQuery));
    return progress.bulk_id === bulk_id ? progress.counts : null;
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}
