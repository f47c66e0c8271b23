import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  isCancellation,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { beginPauseUpdate, pausePhaseQuery, resumeUpdate, resumedSignal } from './queue-pause.contract.ts';
import type { QueuePauseActivities, QueuePauseInput, QueuePausePhase, ResumeMessage } from './queue-pause.contract.ts';

type Writes = 'beginQueuePause' | 'abandonQueuePause' | 'acceptQueueResume';

/** One short transaction each; somebody waits for the answer. */
const interactive = proxyLocalActivities<Pick<QueuePauseActivities, Writes>>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '10 seconds' },
});

/** Somebody waits for the answer too: an engine that is unavailable is reported at once instead of being waited for. */
const engine = proxyActivities<Pick<QueuePauseActivities, 'applyQueuePause'>>({
  startToCloseTimeout: '6 seconds',
  scheduleToCloseTimeout: '8 seconds',
  retry: { initialInterval: '300 milliseconds', maximumAttempts: 2 },
});

/** The queue has to be resumed, however long its engine or the database are unavailable. */
const background = proxyActivities<Pick<QueuePauseActivities, 'endQueuePause' | 'releaseQueue'>>({
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/**
 * One pause of a queue (S2-27): paused in the engine, held until its time is over or somebody ends it, resumed exactly
 * once. Id `queue-pause/<tenant>/<queueId>`. The end is a durable timer, so it survives the loss of any process.
 */
export async function queuePauseWorkflow(input: QueuePauseInput): Promise<QueuePausePhase> {
  const { actor, queue_id, pause_id, command_id } = input;
  const withCommand = command_id === undefined ? {} : { command_id };
  /** The pause as the system ends it: nobody asked for that. */
  const endedBySystem = { queue_id, pause_id, actor: { ...actor, user_id: null, session_id: null, request_id: null } };
  let phase: QueuePausePhase = 'starting';
  let isResumed = false;
  let isWithdrawn = false;

  const begun = begin();
  setHandler(beginPauseUpdate, () => begun, {
    validator: (message: { pause_id: string }) => {
      if (message.pause_id === pause_id) return;
      throw phase === 'refused' ? engineUnavailable() : refused('queue.already-paused', 'The queue is paused already.');
    },
  });
  const assertPaused: (message: ResumeMessage) => void = () => {
    if (phase !== 'paused') throw refused('queue.not-paused', 'The queue is not paused, or about to go on.');
  };
  setHandler(resumeUpdate, resume, { validator: assertPaused });
  setHandler(resumedSignal, (message) => {
    if (message.pause_id === pause_id) isResumed = true;
  });
  setHandler(pausePhaseQuery, () => phase);

  const isBegun = await begun.then(() => true, () => false);
  if (isBegun) await holdPause();
  if (isWithdrawn && patched('withdrawn-pause-released')) {
    await CancellationScope.nonCancellable(() => background.releaseQueue(endedBySystem));
  }
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  return phase;

  async function begin(): Promise<void> {
    try {
      await interactive.beginQueuePause(input);
      await pauseEngine();
      phase = 'paused';
      setCurrentDetails(`Paused until ${new Date(input.paused_until).toISOString()}`);
    } catch (error) {
      phase = 'refused';
      throw error;
    }
  }

  async function pauseEngine(): Promise<void> {
    try {
      await engine.applyQueuePause({ actor, queue_id, pause_id });
    } catch (error) {
      const ref = { actor, queue_id, pause_id, ...withCommand };
      const isInForce = await CancellationScope.nonCancellable(() => interactive.abandonQueuePause(ref));
      if (isInForce) return;
      isWithdrawn = true;
      throw !(error instanceof ActivityFailure) || isProblem(error) ? error : engineUnavailable();
    }
  }

  async function holdPause(): Promise<void> {
    try {
      const restMs = Math.max(input.paused_until - Date.now(), 1);
      await condition(() => isResumed, restMs, { summary: 'End of the pause' });
    } catch (error) {
      // An operator cancelled the workflow. Nothing else would resume the queue, so it is resumed now.
      if (!isCancellation(error)) throw error;
    }
    phase = 'ending';
    await CancellationScope.nonCancellable(() => background.endQueuePause(endedBySystem));
    phase = 'ended';
  }

  async function resume(message: ResumeMessage): Promise<void> {
    await interactive.acceptQueueResume({ ...message, queue_id, pause_id });
    isResumed = true;
    await condition(() => phase === 'ended');
  }
}

function isProblem({ cause }: ActivityFailure): boolean {
  return cause instanceof ApplicationFailure && cause.nonRetryable === true;
}

function engineUnavailable(): ApplicationFailure {
  return refused('service.unavailable', 'The engine of the queue cannot be reached. Try again shortly.');
}

function refused(code: string, detail: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(detail, code);
}
