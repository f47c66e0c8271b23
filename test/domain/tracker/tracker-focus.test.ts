import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  endFocus,
  focusDueAt,
  focusState,
  focusedMinutes,
  focusedMs,
  pauseFocus,
  remainingMs,
  resumeFocus,
  startFocus,
} from '../../../src/domain/tracker/tracker-focus.ts';

import { describeFocus, focusClockOf, presentFocus } from '../../../src/domain/tracker/tracker-focus-session.ts';

const minute = 60_000;
const start = Date.parse('2026-11-21T09:00:00Z');
const fifty = startFocus(start, 50 * minute);

describe('the clock of a focus session', () => {
  it('S0-57, S0-85: is due fifty minutes after its start and ends then, however late the timer fires', () => {
    expect(focusDueAt(fifty)).toBe(start + 50 * minute);
    const ended = endFocus(fifty, 'timer', start + 55 * minute);
    expect(ended).toMatchObject({ ending: 'timer', ended_at: start + 50 * minute });
    expect(focusState(ended)).toBe('completed');
    expect(focusedMinutes(ended, start + 90 * minute)).toBe(50);
    expect(remainingMs(ended, start + 55 * minute)).toBe(0);
  });

  it('S0-85: a completion by the owner records the actual minutes', () => {
    const ended = endFocus(fifty, 'manual', start + 20 * minute + 59_000);
    expect(focusedMinutes(ended, Number.MAX_SAFE_INTEGER)).toBe(20);
    expect(endFocus(fifty, 'manual', start - 5)).toMatchObject({ ended_at: start });
  });

  it('pauses do not count and postpone the end', () => {
    const paused = pauseFocus(fifty, start + 10 * minute);
    expect(focusState(paused)).toBe('paused');
    expect(remainingMs(paused, start + 30 * minute)).toBe(40 * minute);
    const resumed = resumeFocus(paused, start + 25 * minute);
    expect(focusDueAt(resumed)).toBe(start + 65 * minute);
    expect(remainingMs(resumed, start + 30 * minute)).toBe(35 * minute);
    expect(pauseFocus(paused, start + 40 * minute)).toBe(paused);
    expect(resumeFocus(resumed, start + 40 * minute)).toBe(resumed);
  });

  it('S0-83: an interrupted session, also one that was paused too long, keeps its focused minutes', () => {
    const paused = pauseFocus(fifty, start + 10 * minute);
    const ended = endFocus(paused, 'pause_limit', start + 600 * minute);
    expect(focusState(ended)).toBe('interrupted');
    expect(focusedMinutes(ended, start + 700 * minute)).toBe(10);
    expect(resumeFocus(ended, start + 700 * minute)).toBe(ended);
    expect(focusState(endFocus(fifty, 'interrupted', start + minute))).toBe('interrupted');
  });

  it('ends exactly once and never counts more than planned, after any sequence of changes', () => {
    const step = fc.record({
      kind: fc.constantFrom('pause', 'resume', 'manual', 'timer', 'interrupted', 'pause_limit'),
      after: fc.integer({ min: 0, max: 40 * minute }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let clock = fifty;
        let now = start;
        for (const { kind, after } of steps) {
          now += after;
          const before = clock;
          if (kind === 'pause') clock = pauseFocus(clock, now);
          else if (kind === 'resume') clock = resumeFocus(clock, now);
          else clock = endFocus(clock, kind, now);
          if (before.ending !== null) expect(clock).toBe(before);
          expect(focusedMs(clock, now)).toBeGreaterThanOrEqual(0);
          expect(focusedMs(clock, now)).toBeLessThanOrEqual(50 * minute);
          expect(focusedMs(clock, now)).toBeGreaterThanOrEqual(focusedMs(before, now - after));
        }
      }),
    );
  });
});

describe('the representation of a session', () => {
  const at = (minutes: number) => new Date(start + minutes * minute).toISOString();
  const row = {
    id: 1,
    user_id: 'u',
    start_time: at(0),
    end_time: null,
    duration_minutes: 50,
    completed: false,
    interrupted: false,
    notes: null,
    due_at: at(50),
    paused_at: null,
    paused_ms: 0,
    ending: null,
    actual_minutes: null,
    created_at: at(0),
  };

  it('row and clock can be derived from each other', () => {
    expect(focusClockOf(row)).toEqual(fifty);
    const paused = { ...row, due_at: at(55), paused_ms: 5 * minute, paused_at: at(20) };
    expect(focusClockOf(paused)).toMatchObject({ duration_ms: 50 * minute, paused_at: start + 20 * minute });
    expect(presentFocus(paused, start + 90 * minute)).toMatchObject({ state: 'paused', remaining_seconds: 35 * 60 });
    const ended = { ...row, end_time: at(50), ending: 'timer' as const, completed: true };
    expect(presentFocus(ended, start + 90 * minute)).toMatchObject({ state: 'completed', remaining_seconds: 0 });
  });

  it('the description for operators names state and times', () => {
    expect(describeFocus(fifty)).toBe(`Running since ${at(0)}; ends by itself at ${at(50)}.`);
    const paused = pauseFocus(fifty, start + 10 * minute);
    expect(describeFocus(paused)).toBe(`Paused since ${at(10)}; 40 minutes are left.`);
    expect(describeFocus(endFocus(fifty, 'timer', start + 51 * minute))).toBe(`Completed by its timer at ${at(50)}.`);
    expect(describeFocus(endFocus(fifty, 'manual', start + minute))).toBe(`Completed by hand at ${at(1)}.`);
    expect(describeFocus(endFocus(paused, 'pause_limit', start + 60 * minute))).toContain('lasted too long, at');
  });
});
