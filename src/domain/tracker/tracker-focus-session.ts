import { focusDueAt, focusState, remainingMs } from './tracker-focus.ts';
import type { FocusClock, FocusEnding, FocusState } from './tracker-focus.ts';

/** A focus session as its table holds it. Times are RFC 3339. */
export interface FocusRow {
  readonly id: number;
  /** The command that began it; null for one from before commands. */
  readonly command_id?: string | null;
  readonly user_id: string;
  readonly start_time: string;
  readonly end_time: string | null;
  readonly duration_minutes: number;
  readonly completed: boolean;
  readonly interrupted: boolean;
  readonly notes: string | null;
  readonly due_at: string;
  readonly paused_at: string | null;
  readonly paused_ms: number;
  readonly ending: FocusEnding | null;
  readonly actual_minutes: number | null;
  readonly created_at: string;
}

/** A session as API and workflow answer it. */
export interface FocusSessionView extends FocusRow {
  readonly state: FocusState;
  readonly remaining_seconds: number;
}

/** The clock of a session, read from its row. */
export function focusClockOf(row: FocusRow): FocusClock {
  const started_at = Date.parse(row.start_time);
  return {
    started_at,
    duration_ms: Date.parse(row.due_at) - started_at - row.paused_ms,
    paused_ms: row.paused_ms,
    paused_at: row.paused_at === null ? null : Date.parse(row.paused_at),
    ended_at: row.end_time === null ? null : Date.parse(row.end_time),
    ending: row.ending,
  };
}

/** A session with its state and remaining time. @param now milliseconds since the epoch. */
export function presentFocus(row: FocusRow, now: number): FocusSessionView {
  const clock = focusClockOf(row);
  return { ...row, state: focusState(clock), remaining_seconds: Math.ceil(remainingMs(clock, now) / 1000) };
}

/** State of a session in words for operators, without names of people. */
export function describeFocus(clock: FocusClock): string {
  const { started_at, paused_at, ended_at, ending } = clock;
  const at = (time: number) => new Date(time).toISOString();
  if (ending !== null && ended_at !== null) return `${endingText[ending]} at ${at(ended_at)}.`;
  if (paused_at === null) return `Running since ${at(started_at)}; ends by itself at ${at(focusDueAt(clock))}.`;
  const minutesLeft = Math.ceil(remainingMs(clock, paused_at) / 60_000);
  return `Paused since ${at(paused_at)}; ${minutesLeft} minutes are left.`;
}

const endingText: Readonly<Record<FocusEnding, string>> = {
  timer: 'Completed by its timer',
  manual: 'Completed by hand',
  interrupted: 'Interrupted',
  pause_limit: 'Interrupted, because the pause lasted too long,',
};
