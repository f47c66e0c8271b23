import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  canMoveOnboarding,
  defaultOnboardingTiming,
  extendedUntil,
  isOpenOnboarding,
  mergeProgress,
  notificationKey,
  nextOnboardingStep,
  onboardingStatuses,
  reopenedOnboardingStatus,
  effectiveOnboardingStatus,
  unsentNotifications,
} from '../../../src/domain/onboarding/onboarding.ts';
import type { OnboardingLinkState } from '../../../src/domain/onboarding/onboarding.ts';

const day = 24 * 3600_000;
const start = Date.parse('2026-11-21T09:00:00Z');
const at = (ms: number) => new Date(ms).toISOString();

const link: OnboardingLinkState = {
  status: 'pending',
  created_at: at(start),
  expires_at: at(start + 7 * day),
  first_accessed_at: null,
  extended_count: 0,
  has_email: true,
  timing: defaultOnboardingTiming,
  reminder_count: 0,
  last_reminder_at: null,
  warned_at: null,
  announced: [],
};

describe('S3-52: the transitions of an onboarding link', () => {
  it('end in revoked and completed, and lead back from expired', () => {
    for (const to of onboardingStatuses) {
      expect(canMoveOnboarding('revoked', to)).toBe(false);
      expect(canMoveOnboarding('completed', to)).toBe(false);
      expect(canMoveOnboarding('expired', to)).toBe(isOpenOnboarding(to) || to === 'revoked');
    }
    for (const from of onboardingStatuses.filter(isOpenOnboarding)) {
      for (const end of ['completed', 'expired', 'revoked'] as const) expect(canMoveOnboarding(from, end)).toBe(true);
    }
  });

  it('S3-55: a link past its end is expired at once, whatever status is stored', () => {
    fc.assert(
      fc.property(fc.constantFrom(...onboardingStatuses), fc.integer({ min: -day, max: day }), (status, offset) => {
        const shown = effectiveOnboardingStatus({ ...link, status }, start + 7 * day + offset);
        if (!isOpenOnboarding(status)) expect(shown).toBe(status);
        else expect(shown === 'expired').toBe(offset >= 0);
      }),
    );
  });

  it('S3-54: a pending link that was accessed is displayed as opened', () => {
    expect(effectiveOnboardingStatus({ ...link, first_accessed_at: at(start) }, start)).toBe('opened');
    expect(effectiveOnboardingStatus({ ...link, status: 'in_progress', first_accessed_at: at(start) }, start)).toBe('in_progress');
  });

  it('an extended link returns to the status that its holder had reached', () => {
    const expired = { status: 'expired' as const, version: 1, first_accessed_at: null };
    expect(reopenedOnboardingStatus(expired)).toBe('pending');
    expect(reopenedOnboardingStatus({ ...expired, first_accessed_at: at(start) })).toBe('opened');
    expect(reopenedOnboardingStatus({ ...expired, version: 3, first_accessed_at: at(start) })).toBe('in_progress');
    expect(reopenedOnboardingStatus({ ...expired, status: 'opened' })).toBe('opened');
  });
});

describe('S3-51: the life of a link', () => {
  it('is extended from now or from its end, never beyond ninety days, and not at all after them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 90 }),
        fc.integer({ min: 0, max: 120 }),
        fc.integer({ min: 1, max: 30 }),
        (endDay, nowDay, stepDays) => {
          const given = { expires_at: at(start + endDay * day), max_expires_at: at(start + 90 * day) };
          const until = extendedUntil(given, stepDays * 24 * 3600, start + nowDay * day);
          const base = Math.max(endDay, nowDay);
          if (base >= 90) expect(until).toBeNull();
          else expect(until).toBe(start + Math.min(base + stepDays, 90) * day);
        },
      ),
    );
  });
});

describe('what the workflow of a link does next', () => {
  it('reminds every two days, warns a day before the end, expires at the end', () => {
    expect(nextOnboardingStep(link, start)).toEqual({ kind: 'wait', until: start + 2 * day });
    expect(nextOnboardingStep(link, start + 2 * day)).toEqual({ kind: 'remind' });
    const reminded = { ...link, reminder_count: 1, last_reminder_at: at(start + 2 * day) };
    expect(nextOnboardingStep(reminded, start + 3 * day)).toEqual({ kind: 'wait', until: start + 4 * day });
    const often = { ...link, reminder_count: 5, last_reminder_at: at(start + 5 * day) };
    expect(nextOnboardingStep(often, start + 5 * day)).toEqual({ kind: 'wait', until: start + 6 * day });
    expect(nextOnboardingStep(often, start + 6 * day)).toEqual({ kind: 'warn' });
    const warned = { ...often, warned_at: at(start + 6 * day) };
    expect(nextOnboardingStep(warned, start + 6 * day)).toEqual({ kind: 'wait', until: start + 7 * day });
    expect(nextOnboardingStep(warned, start + 7 * day)).toEqual({ kind: 'expire' });
  });

  it('sends one reminder after an outage, however many were missed', () => {
    const late = start + 5.5 * day;
    expect(nextOnboardingStep(link, late)).toEqual({ kind: 'remind' });
    const reminded = { ...link, reminder_count: 1, last_reminder_at: at(late) };
    expect(nextOnboardingStep(reminded, late)).toEqual({ kind: 'wait', until: start + 6 * day });
  });

  it('reminds nobody without an address, and warns for the last quarter of a short life', () => {
    expect(nextOnboardingStep({ ...link, has_email: false }, start)).toEqual({ kind: 'wait', until: start + 6 * day });
    const short = { ...link, expires_at: at(start + 4 * 3600_000) };
    expect(nextOnboardingStep(short, start)).toEqual({ kind: 'wait', until: start + 3 * 3600_000 });
  });

  it('neither reminds nor warns for a suspended tenant, still expires, and sends one reminder afterwards', () => {
    const silent = { ...link, is_silent: true };
    expect(nextOnboardingStep(silent, start + 5 * day)).toEqual({ kind: 'wait', until: start + 7 * day });
    expect(nextOnboardingStep(silent, start + 7 * day)).toEqual({ kind: 'expire' });
    expect(nextOnboardingStep({ ...silent, is_silent: false }, start + 5 * day)).toEqual({ kind: 'remind' });
  });

  it('always ends: each step leads to the next, and there is none for a link that has ended', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 1, max: 80 }), (lateDays, lifeDays) => {
        let facts: OnboardingLinkState = { ...link, expires_at: at(start + lifeDays * day) };
        let now = start + lateDays * day;
        for (let count = 0; count < 40; count += 1) {
          const step = nextOnboardingStep(facts, now);
          if (step.kind === 'end') return;
          if (step.kind === 'wait') {
            expect(step.until).toBeGreaterThan(now);
            now = step.until;
          }
          if (step.kind === 'remind') {
            expect(facts.reminder_count).toBeLessThan(defaultOnboardingTiming.max_reminders);
            facts = { ...facts, reminder_count: facts.reminder_count + 1, last_reminder_at: at(now) };
          }
          if (step.kind === 'warn') facts = { ...facts, warned_at: at(now) };
          if (step.kind === 'expire') facts = { ...facts, status: 'expired' };
        }
        throw new Error('it never ended');
      }),
    );
  });
});

describe('the notifications of the creator', () => {
  it('come once each; an extended link that expires again is notified of again', () => {
    const expired: OnboardingLinkState = { ...link, status: 'expired', first_accessed_at: at(start) };
    expect(unsentNotifications(expired)).toEqual(['opened', 'expired']);
    const told = { ...expired, announced: ['opened', notificationKey('expired', 0)] };
    expect(unsentNotifications(told)).toEqual([]);
    expect(unsentNotifications({ ...told, extended_count: 1 })).toEqual(['expired']);
    expect(unsentNotifications({ ...told, status: 'completed' })).toEqual(['completed']);
  });
});

describe('progress', () => {
  it('keeps the answers that are not sent', () => {
    const before = { progress: { name: 'Ada', city: 'London' }, progress_percent: 40, current_step: 'address' };
    expect(mergeProgress(before, { answers: { city: 'Paris' } })).toEqual({ ...before, progress: { name: 'Ada', city: 'Paris' } });
    expect(mergeProgress(before, { answers: {}, progress_percent: 60, current_step: null })).toEqual({
      ...before,
      progress_percent: 60,
      current_step: null,
    });
  });
});
