import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
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
import { guardEvidence, guardVerdict, jointVerdict, unmeasured, watchGuard } from '../../domain/config/config-guard.ts';
import type { GuardVerdict, GuardWatch, Measurement } from '../../domain/config/config-guard.ts';
import { isRolloutClosed, rolloutRefusal, stagesOf } from '../../domain/config/config-rollout.ts';
import type { RolloutCommand, RolloutTransition } from '../../domain/config/config-rollout.ts';
import {
  abortRolloutUpdate,
  pauseRolloutUpdate,
  promoteRolloutUpdate,
  refreshSignal,
  resumeRolloutUpdate,
  rolloutStageQuery,
} from './config-rollout.contract.ts';
import type {
  ConfigRolloutActivities,
  ConfigRolloutInput,
  ConfigRolloutOutcome,
  RolloutMessage,
  RolloutNotification,
  RolloutState,
} from './config-rollout.contract.ts';
import { databaseUnavailable, isDatabaseUnavailable } from '../shared/database-unavailable.ts';

/** Somebody waits for the answer: three attempts end within the API's own deadline. */
const interactive = proxyLocalActivities<Pick<ConfigRolloutActivities, 'stepRollout'>>({
  startToCloseTimeout: '2500 milliseconds',
  retry: { initialInterval: '200 milliseconds', maximumAttempts: 3 },
});

/** Nobody waits for what timers and guards bring about: it is tried until the database is back. */
const background = proxyLocalActivities<Pick<ConfigRolloutActivities, 'beginRollout' | 'stepRollout'>>({
  startToCloseTimeout: '4 seconds',
  localRetryThreshold: '3 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '1 minute' },
});

/** A measurement is worth one retry: the next one comes soon, and `unknown` is a result. */
const measurement = proxyActivities<Pick<ConfigRolloutActivities, 'measureGuards'>>({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '1 minute',
  retry: { maximumAttempts: 2 },
});

const notification = proxyActivities<Pick<ConfigRolloutActivities, 'announceRollout'>>({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/**
 * The rollout of one configuration into one environment (S2-61). Id `rollout/<tenant>/<environment>`.
 *
 * The row is the record, the state here a copy of it. Each stage is served and watched for its bake, and then the
 * guards decide: good goes on, bad gives everybody the version before, unknown holds and notifies people. A run that
 * begins takes a new fencing number; whatever an older run still tries to write is refused by the database.
 *
 * Changes to this file while rollouts are under way go behind `patched()`; `test/replay` replays recorded histories.
 */
export async function configRolloutWorkflow(input: ConfigRolloutInput): Promise<ConfigRolloutOutcome> {
  const { deployment_id, plan } = input;
  const system = { ...input.actor, user_id: null, session_id: null };
  const stages = stagesOf(plan.strategy);
  let state: RolloutState | null = null;
  let bakeUntil: number | null = null;
  let watches: GuardWatch[] = plan.guards.map(() => unmeasured);
  let watchedStage = -1;
  let lastStep: Promise<unknown> = Promise.resolve();
  const announcements = new Set<Promise<unknown>>();

  setHandler(rolloutStageQuery, () => (state === null ? null : { ...state, bake_until: timeOf(bakeUntil), guards: evidence() }));
  setHandler(pauseRolloutUpdate, handle('pause'), { validator: validate('pause') });
  setHandler(resumeRolloutUpdate, handle('resume'), { validator: validate('resume') });
  setHandler(promoteRolloutUpdate, handle('promote'), { validator: validate('promote') });
  setHandler(abortRolloutUpdate, handle('abort'), { validator: validate('abort') });
  setHandler(refreshSignal, refresh);

  let isFenced = false;
  try {
    adopt(await takeOver());
    await runStages();
  } catch (error) {
    isFenced = codeOf(error) === 'rollout.fenced';
    if (!isFenced && !isCancellation(error)) throw error;
    // An operator cancelled the workflow: everybody gets the version before.
    if (!isFenced) await CancellationScope.nonCancellable(() => decide('abort', null));
  }
  await CancellationScope.nonCancellable(finish);
  return { deployment_id, status: isFenced ? 'fenced' : current().status };

  async function runStages(): Promise<void> {
    while (!isRolloutClosed(current().status)) {
      if (current().status === 'pending') await decide('advance', current());
      else await bake();
      if (isRunLong() && isAtRest()) await continueInNewRun();
    }
  }

  function isRunLong(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return continueAsNewSuggested || historyLength >= (input.max_run_events ?? Infinity);
  }

  /** Commands that are being recorded and notifications that are being sent would end with the run. */
  function isAtRest(): boolean {
    return allHandlersFinished() && announcements.size === 0 && !isRolloutClosed(current().status);
  }

  async function finish(): Promise<void> {
    await Promise.allSettled(announcements);
    await condition(allHandlersFinished);
  }

  async function continueInNewRun(): Promise<void> {
    // A stage that has just been reached is handed on with its own bake, not with the one that is over.
    beginStage(current());
    const { step, stage } = current();
    await continueAsNew<typeof configRolloutWorkflow>({ ...input, carry: { step, stage, bake_until: bakeUntil, watches } });
  }

  /** One wait of a stage: until a person moves the rollout, the guards are due, or the bake is over. */
  async function bake(): Promise<void> {
    const seen = current();
    beginStage(seen);
    const isRunning = seen.status === 'running';
    const untilEndMs = isRunning ? Math.max((bakeUntil ?? 0) - Date.now(), 0) : Infinity;
    const checkMs = plan.guards.length === 0 ? Infinity : plan.check_interval_seconds * 1000;
    // After the end of the bake, a breach that has not lasted long enough goes on being watched.
    const waitMs = untilEndMs > 0 ? Math.min(untilEndMs, checkMs) : plan.guards.length > 0 && isMeasured() ? checkMs : 0;
    if (waitMs > 0 && (await hasMoved(seen, waitMs))) return;
    if (plan.guards.length > 0) await measureGuards();
    if (current() !== seen) return;
    const verdict = verdictNow();
    if (verdict === 'bad') {
      await decide('restore', null);
    } else if (isRunning && Date.now() >= (bakeUntil ?? 0) && verdict !== 'undecided') {
      await decide(verdict === 'good' ? 'advance' : 'hold', seen);
    }
  }

  async function hasMoved(seen: RolloutState, waitMs: number): Promise<boolean> {
    const moved = () => current() !== seen;
    if (waitMs !== Infinity) return condition(moved, waitMs, { summary: `Stage ${seen.stage + 1}: ${seen.status}` });
    await condition(moved);
    return true;
  }

  /** A new stage is watched afresh. One that is resumed bakes from the beginning, but its measurements stay. */
  function beginStage({ stage, step, status }: RolloutState): void {
    if (stage !== watchedStage) {
      watchedStage = stage;
      watches = plan.guards.map(() => unmeasured);
      bakeUntil = null;
      const { carry } = input;
      if (carry !== null && carry.stage === stage) {
        watches = carry.watches;
        if (carry.step === step) bakeUntil = carry.bake_until;
      }
    }
    if (status !== 'running') bakeUntil = null;
    else bakeUntil ??= Date.now() + (stages[stage]?.bake_seconds ?? 0) * 1000;
  }

  async function measureGuards(): Promise<void> {
    const { environment } = input;
    const guards = [...plan.guards];
    let measurements: Measurement[] = [];
    try {
      measurements = await measurement.measureGuards({ actor: system, deployment_id, environment, guards });
    } catch (error) {
      if (isCancellation(error)) throw error;
    }
    const nothing = { kind: 'unknown', reason: 'it could not be measured' } as const;
    const now = Date.now();
    watches = guards.map((guard, index) => watchGuard(guard, watches[index] ?? unmeasured, measurements[index] ?? nothing, now));
  }

  function isMeasured(): boolean {
    return watches.every(({ measured_at }) => measured_at !== null);
  }

  function verdictNow(): GuardVerdict {
    const now = Date.now();
    return jointVerdict(plan.guards.map((guard, index) => guardVerdict(guard, watches[index] ?? unmeasured, now)));
  }

  function evidence() {
    return guardEvidence(plan.guards, watches, Date.now());
  }

  function handle(command: RolloutCommand): (message: RolloutMessage) => Promise<RolloutState> {
    return (message) => makeStep(command, () => message);
  }

  /**
   * A step that timers and guards bring about. A decision on a state that a person has changed meanwhile is dropped: a
   * stage that was just reached by a promotion must bake. With `judgedOn` null the decision holds for any state.
   */
  async function decide(command: RolloutTransition, judgedOn: RolloutState | null): Promise<void> {
    await makeStep(command, () => {
      const isPointless = judgedOn === null ? rolloutRefusal(current(), command) !== null : current() !== judgedOn;
      return isPointless ? null : { actor: system, reason: null, mfa_proof_id: null };
    });
  }

  /**
   * Synchronous, on the state in memory: the SDK ignores the refusal of an asynchronous validator. A run that is about
   * to begin has no state yet; a command that comes then is judged when it has one.
   */
  function validate(command: RolloutCommand): (message: RolloutMessage) => void {
    return () => {
      if (state !== null) assertPossible(command);
    };
  }

  /** @throws ApplicationFailure the refusal of the rules for a command out of place. */
  function assertPossible(command: RolloutTransition): void {
    const refused = rolloutRefusal(current(), command);
    if (refused !== null) throw ApplicationFailure.nonRetryable(refused.detail, refused.code);
  }

  /**
   * One step at a time, judged on the state that the one before it has left; `messageNow` may find then that there is
   * nothing to do.
   */
  function makeStep(command: RolloutTransition, messageNow: () => RolloutMessage | null): Promise<RolloutState> {
    const result = lastStep.then(async () => {
      if (state === null) await condition(() => state !== null);
      const message = messageNow();
      if (message === null) return current();
      assertPossible(command);
      const { fence, step } = current();
      const facts = { guards: evidence(), ...(message.reason === null ? {} : { reason: message.reason }) };
      const activities = message.actor === system ? background : interactive;
      adopt(await activities.stepRollout({ ...message, deployment_id, fence, step, command, evidence: facts }));
      return current();
    });
    lastStep = result.catch(() => undefined);
    return result.catch((error: unknown) => {
      throw isDatabaseUnavailable(error) ? databaseUnavailable() : error;
    });
  }

  /** Takes the deployment over for this run; once that is done it answers with the row as it is. */
  function takeOver(): Promise<RolloutState> {
    return background.beginRollout({ actor: system, deployment_id, run_id: workflowInfo().runId });
  }

  /** Reads the row after a step that this workflow may not know of. Another rollout of the environment is not its own. */
  async function refresh(known: { deployment_id: string; step: number }): Promise<void> {
    const read = lastStep.then(async () => {
      if (state === null || known.deployment_id !== deployment_id || known.step <= state.step) return;
      const row = await takeOver();
      if (row.fence === state.fence) adopt(row);
    });
    lastStep = read.catch(() => undefined);
    await lastStep;
  }

  function adopt(committed: RolloutState): void {
    if (state !== null && committed.step <= state.step) return;
    const before = state;
    state = committed;
    const share = `${committed.candidate_percentage} % in stage ${committed.stage + 1} of ${stages.length}`;
    setCurrentDetails(`**${committed.status}**: ${share}, fence ${committed.fence}.`);
    const kind = notificationOf(committed);
    if (before !== null && kind !== null) announce(kind, committed.step);
  }

  function announce(kind: RolloutNotification, step: number): void {
    const input = { actor: system, deployment_id, news: kind, step };
    const sent = notification.announceRollout(input).catch(() => undefined);
    announcements.add(sent);
    void sent.then(() => announcements.delete(sent));
  }

  function current(): RolloutState {
    if (state === null) throw ApplicationFailure.nonRetryable('The rollout has not begun.', 'service.internal');
    return state;
  }
}

function notificationOf({ status }: RolloutState): RolloutNotification | null {
  if (status === 'holding') return 'held';
  return status === 'restored' || status === 'succeeded' || status === 'aborted' ? status : null;
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function codeOf(error: unknown): string | null {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure ? (cause.type ?? null) : null;
}
