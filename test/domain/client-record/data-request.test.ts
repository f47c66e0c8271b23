import { describe, expect, it } from '@jest/globals';
import { nextDataRequestStep } from '../../../src/domain/client-record/data-request.ts';
import { dueDay, tellingTime, tellingTimes } from '../../../src/domain/client-record/data-request-times.ts';

const zone = 'America/Sao_Paulo';
const at = (text: string) => Date.parse(text);
const row = { due_on: '2026-12-16', reminder_days: [1, 5], reminded_days: null, overdue_told_at: null };
const state = (more: Partial<typeof row> | { reminded_days: number } = {}, status: 'open' | 'refused' = 'open', is_silent = false) => ({
  status,
  kind: 'access' as const,
  due_on: row.due_on,
  ...tellingTimes({ ...row, ...more }, zone),
  is_silent,
});

describe('the due date of a request', () => {
  it('counts days of the calendar from the day of receipt', () => {
    expect(dueDay('2026-12-01', 15)).toBe('2026-12-16');
    expect(dueDay('2028-02-20', 10)).toBe('2028-03-01');
  });

  it('is told at nine by the clocks of the tenant, also where they are changed that day', () => {
    expect(tellingTime('2026-12-16', zone)).toBe(at('2026-12-16T12:00:00Z'));
    expect(tellingTime('2026-03-29', 'Europe/Berlin')).toBe(at('2026-03-29T07:00:00Z'));
    expect(tellingTime('2026-10-25', 'Europe/Berlin')).toBe(at('2026-10-25T08:00:00Z'));
  });
});

describe('the next step of a request', () => {
  it('waits for the reminders and for the day after the due date, and looks again within a day', () => {
    expect(nextDataRequestStep(state(), at('2026-12-01T12:00:00Z'))).toEqual({ kind: 'wait', until: at('2026-12-02T12:00:00Z') });
    expect(nextDataRequestStep(state(), at('2026-12-11T11:00:00Z'))).toEqual({ kind: 'wait', until: at('2026-12-11T12:00:00Z') });
    expect(nextDataRequestStep(state(), at('2026-12-11T12:00:00Z'))).toEqual({ kind: 'tell', news: 'due', days: 5 });
    expect(nextDataRequestStep(state({ reminded_days: 5 }), at('2026-12-15T11:59:00Z'))).toEqual({ kind: 'wait', until: at('2026-12-15T12:00:00Z') });
    expect(nextDataRequestStep(state({ reminded_days: 5 }), at('2026-12-15T12:00:00Z'))).toEqual({ kind: 'tell', news: 'due', days: 1 });
    const reminded = state({ reminded_days: 1 });
    expect(nextDataRequestStep(reminded, at('2026-12-17T11:00:00Z'))).toEqual({ kind: 'wait', until: at('2026-12-17T12:00:00Z') });
    expect(nextDataRequestStep(reminded, at('2026-12-17T12:00:00Z'))).toEqual({ kind: 'tell', news: 'overdue' });
  });

  it('tells only the latest of what was missed, and nothing twice', () => {
    expect(nextDataRequestStep(state(), at('2026-12-16T12:00:00Z'))).toEqual({ kind: 'tell', news: 'due', days: 1 });
    expect(nextDataRequestStep(state(), at('2026-12-20T12:00:00Z'))).toEqual({ kind: 'tell', news: 'overdue' });
    const told = { ...state(), ...tellingTimes({ ...row, overdue_told_at: '2026-12-17T12:00:00.000Z' }, zone) };
    const now = at('2026-12-20T12:00:00Z');
    expect(nextDataRequestStep(told, now)).toEqual({ kind: 'wait', until: now + 24 * 3_600_000 });
  });

  it('S1-63: tells nothing while the tenant is suspended, and ends when the request is closed', () => {
    const now = at('2026-12-20T12:00:00Z');
    expect(nextDataRequestStep(state({}, 'open', true), now)).toEqual({ kind: 'wait', until: now + 24 * 3_600_000 });
    expect(nextDataRequestStep(state({}, 'refused'), now)).toEqual({ kind: 'end' });
  });
});
