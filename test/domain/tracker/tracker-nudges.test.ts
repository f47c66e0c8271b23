import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { admitNudges, isQuiet } from '../../../src/domain/tracker/tracker-nudge-admission.ts';
import { draftNudges, nudgeMessage } from '../../../src/domain/tracker/tracker-nudge-rules.ts';
import type { NudgeDraft, NudgeFacts } from '../../../src/domain/tracker/tracker-nudge-rules.ts';
import { weeklyProgress } from '../../../src/domain/tracker/tracker-weekly-progress.ts';

const day = '2026-11-19';
const at = (hour: number) => ({ day, minute: hour * 60 });
const calm: NudgeFacts = {
  local_time: at(9),
  is_free_day: false,
  activities_today: 1,
  score_today: 10,
  streak_days: 3,
  goal: null,
  follow_ups: [],
  open_meetings: [],
  rotting: [],
};

function rules(facts: Partial<NudgeFacts>): string[] {
  return draftNudges({ ...calm, ...facts }).map(({ rule }) => rule);
}

function goal(done: number) {
  const targets = { discovery: 0, email: 20, video: 0, call: 0 };
  const progress = weeklyProgress('2026-11-16', targets, { ...targets, email: done }, day, { rest_weekdays: [], vacations: [] });
  return { id: 7, progress };
}

describe('nudge rules (S0-58, S0-94)', () => {
  it('draft nothing when there is no reason', () => {
    expect(rules({})).toEqual([]);
    expect(rules({ local_time: at(9), activities_today: 0, streak_days: 9, score_today: 0, goal: goal(0) })).toEqual([]);
  });

  it('draft a reminder when nothing is logged by noon', () => {
    expect(rules({ local_time: at(12), activities_today: 0 })).toEqual(['no-activity']);
    expect(rules({ local_time: at(12), activities_today: 1 })).toEqual([]);
  });

  it('draft a suggestion when a type is behind the pace', () => {
    const [draft] = draftNudges({ ...calm, local_time: at(10), goal: goal(3) });
    expect(draft).toMatchObject({ rule: 'behind-pace', type: 'suggestion', action_url: '/goals/7' });
    expect(draft?.template).toContain('email 3 of 8');
    expect(rules({ local_time: at(10), goal: goal(8) })).toEqual([]);
  });

  it('draft an alert for a streak at risk, and an urgent one for long streaks', () => {
    expect(rules({ local_time: at(17), score_today: 0, streak_days: 2 })).toEqual(['streak-at-risk']);
    expect(rules({ local_time: at(21), score_today: 0, streak_days: 2 })).toEqual(['streak-at-risk']);
    expect(rules({ local_time: at(21), score_today: 0, streak_days: 7 })).toEqual(['streak-at-risk', 'streak-last-call']);
    expect(rules({ local_time: at(21), score_today: 5, streak_days: 8 })).toEqual([]);
    expect(rules({ local_time: at(17), score_today: 0, streak_days: 1 })).toEqual([]);
  });

  it('draft one digest for each list', () => {
    const [one] = draftNudges({ ...calm, follow_ups: [{ id: 3, name: 'Acme $& Co' }] });
    expect(one).toMatchObject({ rule: 'follow-up-due', action_url: '/prospects/3' });
    expect(one && nudgeMessage(one)).toBe('A follow-up with Acme $& Co is due.');
    const many = draftNudges({
      ...calm,
      follow_ups: [{ id: 3, name: 'Acme' }, { id: 4, name: 'Bolt' }],
      open_meetings: [{ id: 1, name: 'Demo' }, { id: 2, name: 'Close' }, { id: 5, name: 'More' }],
      rotting: [{ id: 4, name: 'Bolt' }, { id: 3, name: 'Acme' }],
    });
    expect(many.map(nudgeMessage)).toEqual([
      'Follow-ups are due: Acme and 1 more.',
      'Meetings have no outcome yet: Demo and 2 more.',
      'Bolt and 1 more prospects have been in the same stage for too long.',
    ]);
    expect(many.map(({ action_url }) => action_url)).toEqual(['/prospects', '/meetings', '/prospects']);
    expect(nudgeMessage({ template: 'Nobody: {name}', name: null })).toBe('Nobody: ');
  });

  it('draft only milestones on a free day', () => {
    expect(rules({ is_free_day: true, local_time: at(21), activities_today: 0, goal: goal(20) })).toEqual(['goal-milestone']);
  });

  it('announce the highest milestone and settle those below', () => {
    const [reached] = draftNudges({ ...calm, goal: goal(20) });
    expect(reached).toMatchObject({ dedupe_key: 'goal/7/100', also_settles: ['goal/7/50', 'goal/7/90'] });
    const [half] = draftNudges({ ...calm, goal: goal(12) });
    expect(half).toMatchObject({ dedupe_key: 'goal/7/50', also_settles: [], template: 'You have reached 50 % of your goal.' });
    expect(rules({ goal: goal(9) })).toEqual([]);
  });
});

describe('admission of nudges', () => {
  const policy = { quiet_from_minute: 21 * 60, quiet_to_minute: 7 * 60, daily_cap: 3 };
  const fresh = { settled_keys: new Set<string>(), delivered_today: 0 };
  const draft = (key: string, priority: NudgeDraft['priority']): NudgeDraft => ({
    rule: 'no-activity',
    dedupe_key: key,
    also_settles: [],
    type: 'reminder',
    priority,
    template: key,
    name: null,
    action_url: '/',
    expires_on: day,
  });

  it('quiet hours may span midnight or be none', () => {
    expect([20, 21, 23, 3, 7].map((hour) => isQuiet(hour * 60, policy))).toEqual([false, true, true, true, false]);
    const lunch = { ...policy, quiet_from_minute: 720, quiet_to_minute: 780 };
    expect([11, 12, 13].map((hour) => isQuiet(hour * 60, lunch))).toEqual([false, true, false]);
    expect(isQuiet(720, { ...policy, quiet_from_minute: 720, quiet_to_minute: 720 })).toBe(false);
  });

  it('only urgent nudges pass in quiet hours', () => {
    const drafts = [draft('a', 'high'), draft('b', 'urgent')];
    expect(admitNudges(drafts, 22 * 60, policy, fresh).map(({ dedupe_key }) => dedupe_key)).toEqual(['b']);
  });

  it('what was delivered is not delivered again, and the highest priorities come first', () => {
    const drafts = [draft('a', 'low'), draft('b', 'urgent'), draft('c', 'normal'), draft('d', 'high')];
    const record = { settled_keys: new Set(['b']), delivered_today: 1 };
    expect(admitNudges(drafts, 720, policy, record).map(({ dedupe_key }) => dedupe_key)).toEqual(['d', 'c']);
  });

  it('the cap holds and no key is delivered twice, after any sequence of rounds in a day', () => {
    const round = fc.record({
      minute: fc.integer({ min: 0, max: 1439 }),
      drafts: fc.array(
        fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), priority: fc.constantFrom('low', 'high', 'urgent') }),
      ),
    });
    fc.assert(
      fc.property(fc.array(round, { maxLength: 100 }), (rounds) => {
        const delivered: string[] = [];
        for (const { minute, drafts } of rounds) {
          const unique = new Map(drafts.map(({ key, priority }) => [key, draft(key, priority as NudgeDraft['priority'])]));
          const record = { settled_keys: new Set(delivered), delivered_today: delivered.length };
          const admitted = admitNudges([...unique.values()], minute, policy, record);
          if (isQuiet(minute, policy)) expect(admitted.every(({ priority }) => priority === 'urgent')).toBe(true);
          delivered.push(...admitted.map(({ dedupe_key }) => dedupe_key));
        }
        expect(delivered.length).toBeLessThanOrEqual(policy.daily_cap);
        expect(new Set(delivered).size).toBe(delivered.length);
      }),
    );
  });
});
