import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { QueueCapability } from '../../domain/queue/queue.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { assertQueueCapability, throwJobStateConflict } from '../../platform/outbound/queue-provider.ts';
import type { EngineJob, QueueProvider, QueueSource } from '../../platform/outbound/queue-provider.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { consumeMfaProof, delegateProof } from '../../platform/security/mfa-token.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { storeResult } from '../commands/command.repository.ts';
import { queueByName } from './queue.queries.ts';
import { openQueueEvent, settleQueueEvent } from './queue.repository.ts';

/** An operation on one job. */
export interface JobOperation {
  readonly kind: QueueCapability & ('retry' | 'promote' | 'remove');
  /** Whether the job's state permits it; checked first, so that no factor proof is spent in vain. */
  readonly isPossible: (job: EngineJob) => boolean;
  /** The states it needs, for the problem's text. */
  readonly wanted: string;
  /** Does it in the engine. @returns what the event records about it. */
  readonly run: (engine: QueueProvider, queue: QueueSource, jobId: string) => Promise<JsonObject>;
}

/** Which job is operated on, and why. */
interface JobTarget {
  readonly queue_name: string;
  readonly job_id: string;
  readonly reason: string | null;
}

/**
 * A job on which an operation is possible, with its queue and engine.
 *
 * @throws Problem 404, `queue.unsupported`, `queue.job-state`, or `service.unavailable` when the engine is unavailable.
 */
export async function operableJob(
  deps: Pick<ProcessDeps, 'db' | 'queues'>,
  actor: Actor,
  { queue_name, job_id }: JobTarget,
  { kind, isPossible, wanted }: JobOperation,
) {
  const queue = await queueByName(deps, actor, queue_name);
  const engine = deps.queues.of(queue.provider);
  assertQueueCapability(engine, kind);
  const job = await engine.findJob(queue, job_id);
  if (job === null) throw notFound('job');
  if (!isPossible(job)) throwJobStateConflict(job.state, wanted);
  return { queue, engine, job };
}

/**
 * Does one operation to one job: recorded together with the consumed factor proof, done in the engine, and settled with
 * the result. The engine cannot take part in a transaction, so the event of an operation whose process died before the
 * result was written stays `requested`.
 *
 * @returns the settled event.
 * @throws Problem of {@link operableJob}, or `service.outcome-unknown`.
 */
export async function operateOnJob(
  deps: Pick<ProcessDeps, 'db' | 'keyring' | 'queues'>,
  { actor, mfa, command }: JobCaller,
  target: JobTarget,
  operation: JobOperation,
) {
  const { queue, engine, job } = await operableJob(deps, actor, target, operation);
  const { kind, run } = operation;
  const id = command.command_id;
  const proof = delegateProof(mfa);
  await unitOfWork(deps.db, actor, async (tx) => {
    await consumeMfaProof(tx, proof, actor);
    await openQueueEvent(tx, { id, queue_id: queue.id, kind, job_id: job.job_id, reason: target.reason });
  });
  try {
    const details = await run(engine, queue, job.job_id);
    return await unitOfWork(deps.db, actor, async (tx) => {
      const settled = await settleQueueEvent(tx, id, { state: 'done', details });
      storeResult(tx, deps.keyring, id, settled);
      return settled;
    });
  } catch (error) {
    const isRefused = error instanceof Problem && error.status < 500;
    const failure = isRefused ? error.message : 'It is not known whether the engine has done it.';
    await unitOfWork(deps.db, actor, (tx) => settleQueueEvent(tx, id, { state: 'failed', details: { failure } }));
    if (isRefused) throw error;
    throw new Problem({
      code: 'service.outcome-unknown',
      detail: 'It is not known whether the engine of the queue has done it. Look at the job before you repeat it.',
      retryAfterSeconds: 5,
      cause: error,
    });
  }
}

/** Who operates on a job: the caller, the proof of the second factor, and the command of the request. */
interface JobCaller {
  readonly actor: Actor;
  readonly mfa: MfaProof | null;
  readonly command: WorkflowCommand;
}
