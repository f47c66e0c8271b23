import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { beginPauseUpdate, pausePhaseQuery, resumeUpdate } from './queue-pause.contract.ts';
import type { QueuePauseActivities, QueuePauseInput, QueuePausePhase, ResumeMessage } from './queue-pause.contract.ts';

type Writes = 'beginQueuePause' | 'abandonQueuePause' | 'acceptQueueResume';

const local = proxyLocalActivities<Pick<QueuePauseActivities, Writes>>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '10 seconds' },
});

/** Somebody waits for the answer: an engine that is away is said to be, instead of being waited for. */
const hasty = proxyActivities<Pick<QueuePauseActivities, 'applyQueuePause'>>({
  startToCloseTimeout: '6 seconds',
  scheduleToCloseTimeout: '8 seconds',
  retry: { initialInterval: '300 milliseconds', maximumAttempts: 2 },
});

/** The queue has to go on, however long engine or database are away. */
const patient = proxyActivities<Pick<QueuePauseActivities, 'endQueuePause'>>({
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/**
 * One pause of a queue (S2-27): paused in the engine, held until its time is over or somebody ends it, resumed exactly
 * once. Id `queue-pause/<tenant>/<queueId>`. The end is a durable timer, so it comes whatever was killed meanwhile.
 */
export async function queuePauseWorkflow(input: QueuePauseInput): Promise<QueuePausePhase> {
  const { actor, queue_id, pause_id } = input;
  const byItself = { queue_id, pause_id, actor: { ...actor, user_id: null, session_id: null, request_id: null } };
  let phase: QueuePausePhase = 'starting';
  let isResumed = false;

  const begun = begin();
  setHandler(beginPauseUpdate, () => begun, {
    validator: (message: { pause_id: string }) => {
      if (message.pause_id !== pause_id) throw refused('queue.already-paused', 'The queue is paused already.');
    },
  });
  const requirePaused: (message: ResumeMessage) => void = () => {
    if (phase !== 'paused') throw refused('queue.not-paused', 'The queue is not paused, or about to go on.');
  };
  setHandler(resumeUpdate, resume, { validator: requirePaused });
  setHandler(pausePhaseQuery, () => phase);

  const isBegun = await begun.then(() => true, () => false);
  if (isBegun) await hold();
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  return phase;

  async function begin(): Promise<void> {
    try {
      await local.beginQueuePause(input);
      await apply();
      phase = 'paused';
      setCurrentDetails(`Paused until ${new Date(input.paused_until).toISOString()}`);
    } catch (error) {
      phase = 'refused';
      throw error;
    }
  }

  async function apply(): Promise<void> {
    try {
      await hasty.applyQueuePause({ actor, queue_id, pause_id });
    } catch (error) {
      await CancellationScope.nonCancellable(() => local.abandonQueuePause({ actor, queue_id, pause_id }));
      if (!(error instanceof ActivityFailure) || isProblem(error)) throw error;
      throw refused('service.unavailable', 'The engine of the queue cannot be reached. Try again shortly.');
    }
  }

  async function hold(): Promise<void> {
    try {
      const restMs = Math.max(input.paused_until - Date.now(), 1);
      await condition(() => isResumed, restMs, { summary: 'End of the pause' });
    } catch (error) {
      // An operator cancelled the workflow: the queue must not stay paused with nobody to wake it.
      if (!isCancellation(error)) throw error;
    }
    phase = 'ending';
    await CancellationScope.nonCancellable(() => patient.endQueuePause(byItself));
    phase = 'ended';
  }

  async function resume(message: ResumeMessage): Promise<void> {
    await local.acceptQueueResume({ ...message, queue_id, pause_id });
    isResumed = true;
    await condition(() => phase === 'ended');
  }
}

function isProblem({ cause }: ActivityFailure): boolean {
  return cause instanceof ApplicationFailure && cause.nonRetryable === true;
}

function refused(code: string, detail: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(detail, code);
}
