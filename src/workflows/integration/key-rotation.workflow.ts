import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { remoteFaults } from '../../domain/integration/integration.ts';
import { isBeforeSwitch, isEndedRotation, retryDelayMs } from '../../domain/integration/key-rotation.ts';
import type { RotationState, RotationFault, RotationNotification } from '../../domain/integration/key-rotation.ts';
import { abortRotationUpdate, retryRotationSignal } from './key-rotation.contract.ts';
import type { KeyRotationActivities, KeyRotationInput, KeyRotationResult } from './key-rotation.contract.ts';

/** One short transaction each, retried until it is done, however long the database is unavailable. */
const background = proxyLocalActivities<KeyRotationActivities>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '10 seconds' },
});

/** The rotation goes on whether or not its notifications could be sent. */
const notification = proxyActivities<Pick<KeyRotationActivities, 'announceRotation'>>({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '1 day',
  retry: { initialInterval: '2 seconds', maximumInterval: '10 minutes' },
});

/** People are notified of the first of so many failed attempts to revoke. */
const announceEvery = 10;

interface StepFailure {
  readonly code: RotationFault;
  readonly detail: string;
  readonly isTransient: boolean;
}

/**
 * Exchanges the key of one integration (S2-21): checks the present key, creates a new one, proves it, switches, waits for
 * the end of the grace period, revokes the old key and proves that it is refused. Id `rotation/<tenant>/<integrationId>`.
 *
 * The row holds the state. The workflow reads it, takes the step that is due, and reads it again; so a workflow that is
 * started anew after the last one was lost continues from the last recorded step. Revoking is retried without end, because
 * an old key that still works is a risk until it is refused.
 */
export async function keyRotationWorkflow(input: KeyRotationInput): Promise<KeyRotationResult> {
  const { heartbeat_timeout_ms, step_delays_seconds, revoke_delays_seconds, ...ref } = input;
  // One attempt each: the workflow itself counts failures and waits between them, so that an abort can interrupt it.
  const singleAttempt = proxyActivities<KeyRotationActivities>({
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: heartbeat_timeout_ms,
    retry: { maximumAttempts: 1 },
  });
  let facts: RotationState | null = null;
  let failures = 0;
  let retrySignals = 0;
  let isSwitching = false;
  /** Signals that the present step knows of. */
  let signalsOfStep = 0;
  /** Who waits for an abort, in the order in which they came. */
  const abortCommands: (string | undefined)[] = [];
  const refusedAborts = new Map<string | undefined, Error>();

  setHandler(
    abortRotationUpdate,
    async ({ command_id }) => {
      abortCommands.push(command_id);
      refusedAborts.delete(command_id);
      await condition(() => refusedAborts.has(command_id) || (facts !== null && !isBeforeSwitch(facts.status)));
      const refusal = refusedAborts.get(command_id);
      if (refusal !== undefined) throw refusal;
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
    retrySignals += 1;
  });

  for (;;) {
    signalsOfStep = retrySignals;
    facts = await background.readRotation(ref);
    if (facts === null || isEndedRotation(facts.status)) break;
    setCurrentDetails(`**${facts.status}**${failures === 0 ? '' : `, ${failures} failed tries`}`);
    if (isAbortDue()) await abort();
    else await step(facts);
    if (workflowInfo().continueAsNewSuggested && abortCommands.length === 0 && allHandlersFinished()) {
      await continueAsNew<typeof keyRotationWorkflow>(input);
    }
  }
  if (facts?.status === 'completed') await announce('key-rotated', 0);
  if (facts?.status === 'failed') await announce('rotation-failed', 0);
  await condition(allHandlersFinished);
  return { status: facts?.status ?? 'missing' };

  function isAbortDue(): boolean {
    return abortCommands.length > 0 && facts !== null && isBeforeSwitch(facts.status);
  }

  /** Gives the rotation up, unless the caller who asked for that has given the command up before. */
  async function abort(): Promise<void> {
    const [command_id] = abortCommands;
    try {
      await background.giveUpRotation({ ...ref, failure: null, ...(command_id === undefined ? {} : { command_id }) });
    } catch (error) {
      if (command_id === undefined || isCancellation(error) || !(error instanceof Error)) throw error;
      // Who has asked since then has not given up.
      const refused = patched('each-abort-for-itself') ? 1 : abortCommands.length;
      for (const command of abortCommands.splice(0, refused)) refusedAborts.set(command, error);
    }
  }

  async function step({ status, grace_until, revoke_attempts }: RotationState): Promise<void> {
    switch (status) {
      case 'requested':
        return attemptBeforeSwitch(() => singleAttempt.createRotationKey(ref));
      case 'created':
        return attemptBeforeSwitch(() => singleAttempt.proveRotationKey(ref));
      case 'verified':
        isSwitching = true;
        await attemptBeforeSwitch(() => background.switchRotationKeys({ ...ref, at: Date.now() }));
        isSwitching = false;
        return;
      case 'switched':
        await waitUntil(grace_until === null ? 0 : Date.parse(grace_until), 'The old key still works');
        return background.beginRevokingKey(ref);
      case 'revoking':
        return attemptUntilDone(revoke_attempts, () => singleAttempt.revokeRotatedKey(ref));
      case 'discarding':
        return attemptUntilDone(revoke_attempts, () => singleAttempt.discardRotationKey(ref));
      case 'completed':
      case 'aborted':
      case 'failed':
        return;
    }
  }

  /** A step before the switch: a transient failure is retried a limited number of times, any other ends the rotation. */
  async function attemptBeforeSwitch(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      failures = 0;
    } catch (error) {
      const failure = failureOf(error);
      failures += 1;
      if (!failure.isTransient || failures > step_delays_seconds.length) {
        await background.giveUpRotation({ ...ref, failure: { code: failure.code, detail: failure.detail } });
        failures = 0;
        return;
      }
      await waitForRetry(failure, retryDelayMs(failures, step_delays_seconds));
    }
  }

  /** A step after the switch, or of a rotation that was given up: retried until it succeeds. */
  async function attemptUntilDone(attemptsBefore: number, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const attempt = attemptsBefore + 1;
      const failure = failureOf(error);
      if (attempt % announceEvery === 1) await announce('revoke-failed', attempt);
      await waitForRetry(failure, retryDelayMs(attempt, revoke_delays_seconds));
    }
  }

  async function waitForRetry({ code, detail }: StepFailure, delayMs: number): Promise<void> {
    const next_at = Date.now() + delayMs;
    await background.noteRotationTrouble({ ...ref, code, detail, next_at });
    const before = { signals: retrySignals, aborts: abortCommands.length };
    const isInterrupted = patched('interrupted-during-the-step')
      ? () => retrySignals !== signalsOfStep || isAbortDue()
      : () => retrySignals !== before.signals || abortCommands.length > 0 !== before.aborts > 0;
    await condition(isInterrupted, delayMs, { summary: 'Next try' });
  }

  async function waitUntil(at: number, summary: string): Promise<void> {
    const left = at - Date.now();
    if (left > 0) await condition(() => false, left, { summary });
  }

  async function announce(kind: RotationNotification, attempt: number): Promise<void> {
    await notification.announceRotation({ ...ref, news: kind, attempt }).catch((error: unknown) => {
      if (isCancellation(error)) throw error;
    });
  }
}

/** The failure of a step as a code of the domain. A lost worker counts as transient. */
function failureOf(error: unknown): StepFailure {
  if (isCancellation(error)) throw error;
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (!(cause instanceof ApplicationFailure)) {
    return { code: 'internal', detail: 'The worker was lost in the middle of the step.', isTransient: true };
  }
  if (cause.type === 'still_accepted') return { code: 'still_accepted', detail: cause.message, isTransient: true };
  const fault = remoteFaults.find((one) => one === cause.type);
  if (fault !== undefined) return { code: fault, detail: cause.message, isTransient: cause.nonRetryable !== true };
  // Refused by our own rules, for example because the secret was exchanged by hand meanwhile.
  if (cause.nonRetryable === true) return { code: 'conflict', detail: cause.message, isTransient: false };
  return { code: 'internal', detail: 'The step could not be made; the logs say why.', isTransient: true };
}
