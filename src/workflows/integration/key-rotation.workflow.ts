import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { remoteFaults } from '../../domain/integration/integration.ts';
import { isBeforeSwitch, isEndedRotation, retryDelayMs } from '../../domain/integration/key-rotation.ts';
import type { RotationFacts, RotationFault, RotationNotification } from '../../domain/integration/key-rotation.ts';
import { abortRotationUpdate, retryRotationSignal } from './key-rotation.contract.ts';
import type { KeyRotationActivities, KeyRotationInput, KeyRotationResult } from './key-rotation.contract.ts';

/** One short transaction each; a rotation waits for the database however long it is away. */
const local = proxyLocalActivities<KeyRotationActivities>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '10 seconds' },
});

/** News go out to others; the rotation goes on whether or not they arrive. */
const outward = proxyActivities<Pick<KeyRotationActivities, 'announceRotation'>>({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '1 day',
  retry: { initialInterval: '2 seconds', maximumInterval: '10 minutes' },
});

/** Of every so many failed tries to revoke, people are told again. */
const announceEvery = 10;

interface Trouble {
  readonly code: RotationFault;
  readonly detail: string;
  readonly isPassing: boolean;
}

/**
 * Exchanges the key of one integration (S2-21): checks, creates, proves, switches, waits the grace, revokes and proves
 * that the old key is refused. Id `rotation/<tenant>/<integrationId>`.
 *
 * The row is the record. The workflow looks at it, makes the step that it calls for, and looks again; so one that is
 * started anew, after whatever has happened to the last, goes on from the last step that was written. Revoking is tried
 * for ever: an old key that still works is trouble until it does not.
 */
export async function keyRotationWorkflow(input: KeyRotationInput): Promise<KeyRotationResult> {
  const { heartbeat_timeout_ms, step_delays_seconds, revoke_delays_seconds, ...ref } = input;
  // Failed tries are counted and paused here, where an abort can come between them.
  const network = proxyActivities<KeyRotationActivities>({
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: heartbeat_timeout_ms,
    retry: { maximumAttempts: 1 },
  });
  let facts: RotationFacts | null = null;
  let failures = 0;
  let nudges = 0;
  let isAbortAsked = false;
  let isSwitching = false;

  setHandler(
    abortRotationUpdate,
    async () => {
      isAbortAsked = true;
      await condition(() => facts !== null && !isBeforeSwitch(facts.status));
      return ref.rotation_id;
    },
    {
      validator: ({ rotation_id }) => {
        const isOpen = facts === null || (isBeforeSwitch(facts.status) && !isSwitching);
        if (rotation_id === ref.rotation_id && isOpen) return;
        throw ApplicationFailure.nonRetryable('The rotation is past its switch.', 'integration.rotation-switched');
      },
    },
  );
  setHandler(retryRotationSignal, () => {
    nudges += 1;
  });

  for (;;) {
    facts = await local.readRotation(ref);
    if (facts === null || isEndedRotation(facts.status)) break;
    setCurrentDetails(`**${facts.status}**${failures === 0 ? '' : `, ${failures} failed tries`}`);
    if (isAbortAsked && isBeforeSwitch(facts.status)) await local.giveUpRotation({ ...ref, failure: null });
    else await step(facts);
    if (workflowInfo().continueAsNewSuggested && !isAbortAsked && allHandlersFinished()) {
      await continueAsNew<typeof keyRotationWorkflow>(input);
    }
  }
  if (facts?.status === 'completed') await announce('key-rotated', 0);
  if (facts?.status === 'failed') await announce('rotation-failed', 0);
  await condition(allHandlersFinished);
  return { status: facts?.status ?? 'missing' };

  async function step({ status, grace_until, revoke_attempts }: RotationFacts): Promise<void> {
    switch (status) {
      case 'requested':
        return beforeSwitch(() => network.createRotationKey(ref));
      case 'created':
        return beforeSwitch(() => network.proveRotationKey(ref));
      case 'verified':
        isSwitching = true;
        await beforeSwitch(() => local.switchRotationKeys({ ...ref, at: Date.now() }));
        isSwitching = false;
        return;
      case 'switched':
        await until(grace_until === null ? 0 : Date.parse(grace_until), 'The old key still works');
        return local.beginRevokingKey(ref);
      case 'revoking':
        return afterwards(revoke_attempts, () => network.revokeRotatedKey(ref));
      case 'discarding':
        return afterwards(revoke_attempts, () => network.discardRotationKey(ref));
      case 'completed':
      case 'aborted':
      case 'failed':
        return;
    }
  }

  /** A step that may still be called off: passing trouble is waited out for a while, anything else ends the rotation. */
  async function beforeSwitch(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      failures = 0;
    } catch (error) {
      const trouble = troubleOf(error);
      failures += 1;
      if (!trouble.isPassing || failures > step_delays_seconds.length) {
        await local.giveUpRotation({ ...ref, failure: { code: trouble.code, detail: trouble.detail } });
        failures = 0;
        return;
      }
      await pause(trouble, retryDelayMs(failures, step_delays_seconds));
    }
  }

  /** A step that has to succeed some day. */
  async function afterwards(attemptsBefore: number, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const attempt = attemptsBefore + 1;
      const trouble = troubleOf(error);
      if (attempt % announceEvery === 1) await announce('revoke-failed', attempt);
      await pause(trouble, retryDelayMs(attempt, revoke_delays_seconds));
    }
  }

  async function pause({ code, detail }: Trouble, delayMs: number): Promise<void> {
    const next_at = Date.now() + delayMs;
    await local.noteRotationTrouble({ ...ref, code, detail, next_at });
    const [seen, wasAbortAsked] = [nudges, isAbortAsked];
    await condition(() => nudges !== seen || isAbortAsked !== wasAbortAsked, delayMs, { summary: 'Next try' });
  }

  async function until(at: number, summary: string): Promise<void> {
    const left = at - Date.now();
    if (left > 0) await condition(() => false, left, { summary });
  }

  async function announce(news: RotationNotification, attempt: number): Promise<void> {
    await outward.announceRotation({ ...ref, news, attempt }).catch((error: unknown) => {
      if (isCancellation(error)) throw error;
    });
  }
}

/** What went wrong, in the closed words of the domain. A worker that was lost is passing trouble. */
function troubleOf(error: unknown): Trouble {
  if (isCancellation(error)) throw error;
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (!(cause instanceof ApplicationFailure)) {
    return { code: 'internal', detail: 'The worker was lost in the middle of the step.', isPassing: true };
  }
  if (cause.type === 'still_accepted') return { code: 'still_accepted', detail: cause.message, isPassing: true };
  const fault = remoteFaults.find((one) => one === cause.type);
  if (fault !== undefined) return { code: fault, detail: cause.message, isPassing: cause.nonRetryable !== true };
  // A refusal by our own rules, e.g. the secret was exchanged by hand meanwhile.
  if (cause.nonRetryable === true) return { code: 'conflict', detail: cause.message, isPassing: false };
  return { code: 'internal', detail: 'The step could not be made; the logs say why.', isPassing: true };
}
