/** How a focus session ended: by its timer, by its owner, by an interruption, or by a pause that lasted too long. */
export const focusEndings = ['timer', 'manual', 'interrupted', 'pause_limit'] as const;
export type FocusEnding = (typeof focusEndings)[number];

/** State of a session; operators can filter by it in Temporal Web. */
export const focusStates = ['running', 'paused', 'completed', 'interrupted'] as const;
export type FocusState = (typeof focusStates)[number];

/** The clock of one session. All times are milliseconds since the epoch. */
export interface FocusClock {
  readonly started_at: number;
  /** Planned length. */
  readonly duration_ms: number;
  /** Total length of the pauses that have ended. */
  readonly paused_ms: number;
  /** Start of the present pause. */
  readonly paused_at: number | null;
  readonly ended_at: number | null;
  readonly ending: FocusEnding | null;
}

/** The clock of a session that starts now. */
export function startFocus(now: number, durationMs: number): FocusClock {
  return { started_at: now, duration_ms: durationMs, paused_ms: 0, paused_at: null, ended_at: null, ending: null };
}

/** State of the session. */
export function focusState({ ending, paused_at }: FocusClock): FocusState {
  switch (ending) {
    case 'timer':
    case 'manual':
      return 'completed';
    case 'interrupted':
    case 'pause_limit':
      return 'interrupted';
    case null:
      return paused_at === null ? 'running' : 'paused';
  }
}

/** When the timer fires unless there is another pause: start, length and the pauses that have ended (S0-85). */
export function focusDueAt({ started_at, duration_ms, paused_ms }: FocusClock): number {
  return started_at + duration_ms + paused_ms;
}

/** Time in which the session ran, without pauses; never more than planned. */
export function focusedMs(clock: FocusClock, now: number): number {
  const until = clock.ended_at ?? clock.paused_at ?? now;
  const endOfPauses = clock.paused_at === null ? 0 : Math.max(until - clock.paused_at, 0);
  return Math.min(Math.max(until - clock.started_at - clock.paused_ms - endOfPauses, 0), clock.duration_ms);
}

/** Remaining time of the session; 0 once it has ended. */
export function remainingMs(clock: FocusClock, now: number): number {
  return clock.ending === null ? clock.duration_ms - focusedMs(clock, now) : 0;
}

/** Stops the clock. A session that is not running stays as it is. */
export function pauseFocus(clock: FocusClock, now: number): FocusClock {
  return focusState(clock) === 'running' ? { ...clock, paused_at: now } : clock;
}

/** Restarts the clock. A session that is not paused stays as it is. */
export function resumeFocus(clock: FocusClock, now: number): FocusClock {
  if (clock.paused_at === null || clock.ending !== null) return clock;
  return { ...clock, paused_ms: clock.paused_ms + Math.max(now - clock.paused_at, 0), paused_at: null };
}

/**
 * Ends the session. The timer ends it at its due time, however late it fired. A session that has ended already is
 * returned unchanged (exactly one completion, S0-85).
 */
export function endFocus(clock: FocusClock, ending: FocusEnding, now: number): FocusClock {
  if (clock.ending !== null) return clock;
  return { ...clock, ending, ended_at: ending === 'timer' ? focusDueAt(clock) : Math.max(now, clock.started_at) };
}

/** What happens to a session after its beginning; `expire` is its timer, or the end of the longest pause. */
export type FocusTransition = 'pause' | 'resume' | 'complete' | 'interrupt' | 'expire';

/** The clock after a transition, or the same object where there is nothing to change. */
export function changeFocus(clock: FocusClock, transition: FocusTransition, now: number): FocusClock {
  switch (transition) {
    case 'pause':
      return pauseFocus(clock, now);
    case 'resume':
      return resumeFocus(clock, now);
    case 'complete':
      return endFocus(clock, 'manual', now);
    case 'interrupt':
      return endFocus(clock, 'interrupted', now);
    case 'expire':
      return endFocus(clock, clock.paused_at === null ? 'timer' : 'pause_limit', now);
  }
}

/** Whole minutes of focus, as recorded at the end (S0-85). */
export function focusedMinutes(clock: FocusClock, now: number): number {
  return Math.floor(focusedMs(clock, now) / 60_000);
}
