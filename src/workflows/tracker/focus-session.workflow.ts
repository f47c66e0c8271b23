import {
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  isCancellation,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { changeFocus, focusDueAt, focusState, remainingMs, startFocus } from '../../domain/tracker/tracker-focus.ts';
import type { FocusClock, FocusTransition } from '../../domain/tracker/tracker-focus.ts';
import { describeFocus, focusClockOf } from '../../domain/tracker/tracker-focus-session.ts';
import type { FocusSessionView } from '../../domain/tracker/tracker-focus-session.ts';
import {
  beginUpdate,
  completeUpdate,
  interruptUpdate,
  pauseUpdate,
  refreshSignal,
  remainingQuery,
  resumeUpdate,
} from './focus-session.contract.ts';
import type {
  FocusChange,
  FocusMessage,
  FocusOutcome,
  FocusRemaining,
  FocusSessionActivities,
  FocusSessionInput,
} from './focus-session.contract.ts';
import { searchAttributes } from '../shared/search-attributes.ts';

/**
 * One write that takes well under a second. Retried until it is done, however long the database is unavailable: the end
 * of a session must be recorded.
 */
const background = proxyLocalActivities<FocusSessionActivities>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '10 seconds' },
});

/**
 * One focus session with its timer (S0-57, S0-85). Its id is `focus/<tenant>/<command id>`. It is started together with
 * the update `begin`, which answers the committed row.
 *
 * Changes are saved one after the other, and a session that has ended is not changed again, so a completion by its owner
 * that races the timer is recorded once. A timer that fires late, because worker or server were down, still ends the
 * session at its due time. The row is the record, the clock here a copy of it; a change is made to the row, which answers with
 * what it has become.
 */
export async function focusSessionWorkflow(input: FocusSessionInput): Promise<FocusOutcome> {
  const { actor: owner, command_id } = input;
  const workflow_key = command_id ?? input.session_id ?? '';
  const timerActor = { ...owner, session_id: null, request_id: null };
  let clock = startFocus(Date.now(), input.duration_seconds * 1000);
  let view: FocusSessionView | null = null;
  let session_id = input.session_id ?? null;
  let writing: Promise<unknown> = Promise.resolve();

  const begun = save('begin', () => clock, { actor: owner, notes: input.notes, ...idOf(command_id) });
  setHandler(beginUpdate, () => begun);
  setHandler(remainingQuery, remaining);
  setHandler(completeUpdate, (message) => change('complete', message), { validator: validate('complete') });
  setHandler(interruptUpdate, (message) => change('interrupt', message), { validator: validate('interrupt') });
  setHandler(pauseUpdate, (message) => change('pause', message), { validator: validate('pause') });
  setHandler(resumeUpdate, (message) => change('resume', message), { validator: validate('resume') });
  setHandler(refreshSignal, refresh);

  const isBegun = await begun.then(() => true, () => false);
  if (isBegun) await runUntilEnded();
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  return { session_id, state: isBegun ? focusState(clock) : 'refused' };

  async function runUntilEnded(): Promise<void> {
    try {
      while (clock.ending === null) await waitForEnd();
    } catch (error) {
      if (!isCancellation(error)) throw error;
      // An operator cancelled the workflow: the person must be able to start another session.
      await CancellationScope.nonCancellable(() => change('interrupt', { actor: timerActor, notes: null }));
    }
  }

  /** Waits until the session changes, or until its timer or the longest pause is over. */
  async function waitForEnd(): Promise<void> {
    const watched = clock;
    const isPaused = watched.paused_at !== null;
    const until = isPaused ? (watched.paused_at ?? 0) + input.max_pause_seconds * 1000 : focusDueAt(watched);
    const summary = isPaused ? 'Longest pause' : 'End of the session';
    const changed = await condition(() => clock !== watched, Math.max(until - Date.now(), 1), { summary });
    if (!changed) await change('expire', { actor: timerActor, notes: null });
  }

  /** Synchronous, on the state in memory: the SDK ignores the result of an asynchronous validator. */
  function validate(kind: FocusChange): (message: FocusMessage) => void {
    return () => assertNotEnded(kind);
  }

  function change(kind: FocusTransition, message: FocusMessage): Promise<FocusSessionView> {
    const now = Date.now();
    return save(kind, () => changeFocus(clock, kind, now), message, now);
  }

  /** Takes over what the row has become without this workflow's knowing; nothing is refused for it. */
  async function refresh(): Promise<void> {
    writing = writing.then(async () => {
      if (view === null || clock.ending !== null) return;
      applySaved(await background.readFocusSession({ actor: timerActor, workflow_key, session_id }));
    }).catch(() => undefined);
    await writing;
  }

  /** Saves one change at a time. One that an earlier change has made obsolete is answered with the present row. */
  function save(kind: FocusChange, next: () => FocusClock, message: FocusMessage, at = Date.now()): Promise<FocusSessionView> {
    const result = writing.then(async () => {
      assertNotEnded(kind);
      const wanted = next();
      // A command is recorded as carried out even when there is nothing to change.
      if (view !== null && wanted === clock && message.command_id === undefined) return view;
      const { user_id } = owner;
      const changed = { session_id, workflow_key, user_id, change: kind, clock: wanted, at };
      applySaved(await background.saveFocusSession({ ...message, ...changed }));
      return view ?? notSaved();
    });
    writing = result.catch(() => undefined);
    return result;
  }

  /** Takes over the committed row, which is authoritative, as the clock of the workflow. */
  function applySaved(saved: FocusSessionView): void {
    const before = view === null ? null : focusState(clock);
    clock = focusClockOf(saved);
    view = saved;
    session_id = saved.id;
    setCurrentDetails(describeFocus(clock));
    const state = focusState(clock);
    if (before !== null && before !== state) {
      upsertSearchAttributes([{ key: searchAttributes.focusState, value: state }]);
    }
  }

  /** After the end only the command that ended the session may be repeated. */
  function assertNotEnded(kind: FocusChange): void {
    if (clock.ending === null || kind === 'expire') return;
    const repeats = { complete: 'completed', interrupt: 'interrupted', begin: null, pause: null, resume: null }[kind];
    if (focusState(clock) === repeats) return;
    throw ApplicationFailure.nonRetryable('The session has ended already.', 'focus.ended');
  }

  function remaining(): FocusRemaining {
    const state = focusState(clock);
    return {
      state,
      remaining_seconds: Math.ceil(remainingMs(clock, Date.now()) / 1000),
      ends_at: state === 'running' ? new Date(focusDueAt(clock)).toISOString() : null,
    };
  }
}

function idOf(command_id: string | undefined): Pick<FocusMessage, 'command_id'> {
  return command_id === undefined ? {} : { command_id };
}

function notSaved(): never {
  throw ApplicationFailure.nonRetryable('The session was not written.', 'service.internal');
}
