/** How a focus session ended: its timer, its owner's hand, an interruption, or a pause that lasted too long. */
export const focusEndings = ['timer', 'manual', 'interrupted', 'pause_limit'] as const;
export type FocusEnding = (typeof focusEndings)[number];

/** Where a session is; what operators filter by in Temporal Web. */
export const focusStates = ['running', 'paused', 'completed', 'interrupted'] as const;
export type FocusState = (typeof focusStates)[number];

/** The clock of one session. All times are milliseconds since the epoch. */
export interface FocusClock {
  readonly started_at: number;
  /** Planned length. */
  readonly duration_ms: number;
  /** Length of the pauses that are over. */
  readonly paused_ms: number;
  /** Begin of the present pause. */
  readonly paused_at: number | null;
  readonly ended_at: number | null;
  readonly ending: FocusEnding | null;
}

/** A session that begins now. */
export function startFocus(now: number, durationMs: number): FocusClock {
  return { started_at: now, duration_ms: durationMs, paused_ms: 0, paused_at: null, ended_at: null, ending: null };
}

/** Where the session is. */
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

/** When the timer ends if nobody pauses (again): start, length and the pauses that are over (S0-85). */
export function focusDueAt({ started_at, duration_ms, paused_ms }: FocusClock): number {
  return started_at + duration_ms + paused_ms;
}

/** Time in which the session ran, without pauses; never more than planned. */
export function focusedMs(clock: FocusClock, now: number): number {
  const until = clock.ended_at ?? clock.paused_at ?? now;
  const endOfPauses = clock.paused_at === null ? 0 : Math.max(until - clock.paused_at, 0);
  return Math.min(Math.max(until - clock.started_at - clock.paused_ms - endOfPauses, 0), clock.duration_ms);
}

/** What is left of the session; 0 once it has ended. */
export function remainingMs(clock: FocusClock, now: number): number {
  return clock.ending === null ? clock.duration_ms - focusedMs(clock, now) : 0;
}

/** Stops the clock. A session that is not running stays as it is. */
export function pauseFocus(clock: FocusClock, now: number): FocusClock {
  return focusState(clock) === 'running' ? { ...clock, paused_at: now } : clock;
}

/** Lets the clock run on. A session that is not paused stays as it is. */
export function resumeFocus(clock: FocusClock, now: number): FocusClock {
  if (clock.paused_at === null || clock.ending !== null) return clock;
  return { ...clock, paused_ms: clock.paused_ms + Math.max(now - clock.paused_at, 0), paused_at: null };
}

/**
 * Ends the session. The timer ends it at the minute it is due, however late the timer was served; a session that has
 * ended stays as it ended (exactly one completion, S0-85).
 */
export function endFocus(clock: FocusClock, ending: FocusEnding, now: number): FocusClock {
  if (clock.ending !== null) return clock;
  return { ...clock, ending, ended_at: ending === 'timer' ? focusDueAt(clock) : Math.max(now, clock.started_at) };
}

/** Whole minutes of focus, as recorded at the end (S0-85). */
export function focusedMinutes(clock: FocusClock, now: number): number {
  return Math.floor(focusedMs(clock, now) / 60_000);
}
