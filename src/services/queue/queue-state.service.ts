import { setTimeout } from 'node:timers/promises';
import { actorRef, systemActor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { assertQueueCapability } from '../../platform/outbound/queue-provider.ts';
import type { ReadDeps } from '../../platform/database/read.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { consumeMfaProof, delegateProof } from '../../platform/security/mfa-token.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import { commandUnitOfWork } from '../commands/command.repository.ts';
import { forgetRefresh } from '../commands/workflow-start.repository.ts';
import { findQueueEvent, queueByName } from './queue.queries.ts';
import type { QueueRow } from './queue.queries.ts';
import { sendResume, sendResumed, startPause } from './queue-pause.client.ts';
import { acceptResume, alreadyPaused, endPause } from './queue-pause.repository.ts';
import { lockQueue } from './queue.repository.ts';

type Deps = Pick<ProcessDeps, 'db' | 'keyring' | 'now' | 'queues' | 'temporal'>;

/** The longest pause, in milliseconds. */
const maxPauseMs = 90 * 86_400_000;

/** What is looked at before a queue is paused or resumed; in a rehearsal `db` is its transaction. */
type CheckDeps = ReadDeps & Pick<Deps, 'now' | 'queues'>;

interface PauseRequest {
  readonly name: string;
  readonly reason: string;
  /** RFC 3339; in the future, within 90 days. */
  readonly paused_until: string;
}

/**
 * The queue that a pause is asked for.
 *
 * @throws Problem 404, `request.invalid`, `queue.unsupported`, or `queue.already-paused`.
 */
export async function pausableQueue(
  deps: CheckDeps,
  actor: Actor,
  { name, paused_until }: Pick<PauseRequest, 'name' | 'paused_until'>,
): Promise<QueueRow> {
  const queue = await queueByName(deps, actor, name);
  const restMs = Date.parse(paused_until) - deps.now();
  if (restMs <= 0 || restMs > maxPauseMs) {
    throw invalidInput([{ pointer: '/paused_until', detail: 'has to be in the future, within 90 days' }]);
  }
  assertQueueCapability(deps.queues.of(queue.provider), 'pause');
  if (queue.pause_id !== null) throw alreadyPaused();
  return queue;
}

/**
 * Pauses a queue until a time at which it goes on by itself.
 *
 * @throws Problem of {@link pausableQueue}, or `service.unavailable`.
 */
export async function pauseQueue(
  deps: Deps,
  actor: Actor,
  mfa: MfaProof | null,
  request: PauseRequest,
  command: WorkflowCommand,
): Promise<void> {
  const { id: queue_id } = await pausableQueue(deps, actor, request);
  const paused_until = Date.parse(request.paused_until);
  const pause = { queue_id, reason: request.reason, paused_until, mfa_proof_id: delegateProof(mfa) };
  await startPause(deps, actor, pause, command);
}

/** Longest wait for an engine that has been asked already, and how often its answer is looked for. */
const settleWithinMs = 10_000;
const lookEveryMs = 100;

/**
 * Waits until the engine has done what a pause or a resume recorded. A repetition needs it: the command is done as soon as it
 * is recorded, and the first request is answered later, when the queue is paused or runs again.
 *
 * @param commandId also the id of the event.
 * @throws Problem `service.unavailable` when the engine could not be reached, or does not answer in time.
 */
export async function awaitQueueState(deps: Pick<Deps, 'db'>, actor: Actor, commandId: string): Promise<void> {
  const untilMs = Date.now() + settleWithinMs;
  for (;;) {
    const event = await findQueueEvent(deps.db, actor, commandId);
    if (event !== undefined && event.state !== 'requested' && event.state !== 'failed') return;
    if (event?.state === 'failed' || Date.now() > untilMs) {
      const detail = 'The engine of the queue cannot be reached. Try again shortly.';
      throw new Problem({ code: 'service.unavailable', detail, retryAfterSeconds: 5 });
    }
    await setTimeout(lookEveryMs);
  }
}

/**
 * {@link awaitQueueState} of a resume. One that is recorded and not done may be unknown to the workflow of the pause: its update
 * went with the task that had recorded it.
 */
export async function awaitResume(
  deps: Pick<Deps, 'db' | 'queues' | 'temporal'>,
  actor: Actor,
  commandId: string,
): Promise<void> {
  const event = await findQueueEvent(deps.db, actor, commandId);
  const pause_id = event?.details['pause_id'];
  if (event?.state === 'requested' && typeof pause_id === 'string') {
    // Whether it has helped, the event tells; a worker tries for longer.
    await endResumedPause(deps, actor.tenant_id, { queue_id: event.queue_id, pause_id }).catch(() => undefined);
  }
  return awaitQueueState(deps, actor, commandId);
}

interface PauseRef {
  readonly queue_id: string;
  readonly pause_id: string;
}

/** Has a pause end that somebody has resumed: by its workflow, or here where that is lost, because nothing else would. */
export async function endResumedPause(
  deps: Pick<Deps, 'db' | 'queues' | 'temporal'>,
  tenantId: string,
  pause: PauseRef,
): Promise<void> {
  try {
    await sendResumed(deps, tenantId, pause);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'resource.not-found') throw error;
    await resumeInEngine(deps, systemActor(tenantId), pause);
  }
}

/**
 * Resumes a queue, in its engine and in its row; a pause that is over already is left alone. The engine first: the row must not
 * say that the queue runs while it stands still.
 */
export async function resumeInEngine(deps: Pick<Deps, 'db' | 'queues'>, actor: Actor, pause: PauseRef): Promise<void> {
  const queue = await unitOfWork(deps.db, actor, (tx) => lockQueue(tx, { id: pause.queue_id }));
  if (queue.pause_id !== pause.pause_id) return;
  await deps.queues.of(queue.provider).resume(queue);
  await unitOfWork(deps.db, actor, (tx) => endPause(tx, pause));
}

/**
 * Lets a queue run in its engine unless a pause is in force. Its row is locked meanwhile, so that a pause that begins just now
 * reaches the engine after this.
 */
export async function releaseQueue(deps: Pick<Deps, 'db' | 'queues'>, actor: Actor, queueId: string): Promise<void> {
  await unitOfWork(deps.db, actor, async (tx) => {
    const queue = await lockQueue(tx, { id: queueId });
    if (queue.pause_id === null) await deps.queues.of(queue.provider).resume(queue);
  });
}

/**
 * A queue that is paused.
 *
 * @returns its id and that of the pause.
 * @throws Problem 404, `queue.unsupported`, or `queue.not-paused`.
 */
export async function pausedQueue(deps: Omit<CheckDeps, 'now'>, actor: Actor, name: string): Promise<PauseRef> {
  const { id: queue_id, provider, pause_id } = await queueByName(deps, actor, name);
  assertQueueCapability(deps.queues.of(provider), 'pause');
  if (pause_id === null) throw new Problem({ code: 'queue.not-paused', detail: 'No pause of this queue is in force.' });
  return { queue_id, pause_id };
}

/**
 * Ends a pause before its time; returns when the queue runs again.
 *
 * @throws Problem of {@link pausedQueue}, or `service.unavailable`.
 */
export async function resumeQueue(
  deps: Deps,
  actor: Actor,
  mfa: MfaProof | null,
  { name, reason }: { readonly name: string; readonly reason: string | null },
  command: WorkflowCommand,
): Promise<void> {
  const { queue_id, pause_id } = await pausedQueue(deps, actor, name);
  const { command_id } = command;
  const message = { actor: actorRef(actor), resume_id: command_id, command_id, reason, mfa_proof_id: delegateProof(mfa) };
  try {
    await sendResume(deps, queue_id, message, command);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'resource.not-found') throw error;
    // The workflow is lost, or ended just now. Without it nothing would resume the queue, so it is done here.
    const resume = { ...message, queue_id, pause_id };
    await commandUnitOfWork(deps, actor, command_id, (tx) =>
      acceptResume(tx, resume, () => consumeMfaProof(tx, message.mfa_proof_id, actor)),
    );
    await resumeInEngine(deps, actor, { queue_id, pause_id });
  }
  forgetRefresh(deps, actor.tenant_id, command_id);
}
