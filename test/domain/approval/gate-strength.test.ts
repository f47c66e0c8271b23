import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { safePolicy } from '../../../src/domain/approval/approval-gate.ts';
import type { GateLevel } from '../../../src/domain/approval/approval-gate.ts';
import { isEligible } from '../../../src/domain/approval/approval-policy.ts';
import type { ApprovalPolicy, ApprovalStep, EligiblePerson } from '../../../src/domain/approval/approval-policy.ts';
import { independenceDaysOf, strictest, weakens } from '../../../src/domain/approval/gate-strength.ts';
import type { GateEffect } from '../../../src/domain/approval/gate-strength.ts';

const step = (roles: string[], quorum = 1, users: string[] = []): ApprovalStep => ({ name: 'step', roles, users, quorum });
const approval = (policy: Partial<ApprovalPolicy> = {}): GateEffect => ({ gate: 'approval', policy: { ...safePolicy, ...policy } });
const gate = (level: GateLevel): GateEffect => ({ gate: level, policy: safePolicy });

const names = ['ann', 'ben'];
const someStep = fc
  .tuple(fc.subarray(['r', 's']), fc.integer({ min: 1, max: 2 }), fc.subarray(names))
  .map(([roles, quorum, users]) => step(roles, quorum, users));
const someEffect: fc.Arbitrary<GateEffect> = fc
  .tuple(
    fc.constantFrom<GateLevel>('approval', 'approval', 'approval', 'mfa', 'none'),
    fc.array(someStep, { minLength: 1, maxLength: 2 }),
    fc.subarray(names),
    fc.constantFrom(7, 30, undefined),
    fc.constantFrom(3600, 7200),
  )
  .map(([level, steps, bypassers, independence_days, execution_window_seconds]) => {
    const { independence_days: _, ...rest } = { ...safePolicy, steps, bypassers, execution_window_seconds };
    return { gate: level, policy: independence_days === undefined ? rest : { ...rest, independence_days } };
  });

describe('a gate is weakened', () => {
  const before = approval({ steps: [step(['r', 's'], 2, ['ann']), step(['s'])], bypassers: ['ann'] });
  const [first = step([]), second = step([])] = before.policy.steps;
  const changed = (policy: Partial<ApprovalPolicy>): GateEffect => ({ gate: 'approval', policy: { ...before.policy, ...policy } });

  it.each<[string, GateEffect]>([
    ['a lower gate', gate('mfa')],
    ['no gate', gate('none')],
    ['a smaller quorum', changed({ steps: [{ ...first, quorum: 1 }, second] })],
    ['another role', changed({ steps: [first, { ...second, roles: ['s', 't'] }] })],
    ['another role in place of one', changed({ steps: [first, { ...second, roles: ['t'] }] })],
    ['another user', changed({ steps: [{ ...first, users: ['ann', 'ben'] }, second] })],
    ['a missing step', changed({ steps: [first] })],
    ['two steps as one with both quorums', changed({ steps: [{ ...first, quorum: 3 }] })],
    ['another order', changed({ steps: [second, first] })],
    ['another bypasser', changed({ bypassers: ['ann', 'ben'] })],
    ['another bypasser in place of one', changed({ bypassers: ['ben'] })],
    ['fewer days of independence', changed({ independence_days: 29 })],
    ['a longer execution window', changed({ execution_window_seconds: safePolicy.execution_window_seconds + 1 })],
    ['a later review of bypasses', changed({ bypass_review_seconds: safePolicy.bypass_review_seconds + 1 })],
  ])('by %s', (_, after) => {
    expect(weakens(before, after)).toBe(true);
  });

  it.each<[string, GateEffect]>([
    ['nothing', before],
    ['a larger quorum', changed({ steps: [{ ...first, quorum: 3 }, second] })],
    ['one more step between', changed({ steps: [first, step(['t']), second] })],
    ['fewer roles and users', changed({ steps: [{ ...first, roles: ['r'], users: [] }, second] })],
    ['nobody who may bypass', changed({ bypassers: [] })],
    ['more days', changed({ independence_days: 31 })],
    ['shorter windows', changed({ execution_window_seconds: 1, bypass_review_seconds: 1 })],
    ['another review window and other reminders', changed({ review_window_seconds: 3600, reminder_interval_seconds: 0 })],
  ])('not by %s', (_, after) => {
    expect(weakens(before, after)).toBe(false);
  });

  it('by any approval never below `approval`, whatever it says', () => {
    expect(weakens(gate('mfa'), approval({ steps: [step(['anybody'])], bypassers: names }))).toBe(false);
    expect(weakens(gate('mfa'), gate('none'))).toBe(true);
    expect(weakens(gate('none'), gate('none'))).toBe(false);
  });

  it('reads missing days as thirty', () => {
    const { independence_days: _, ...rest } = safePolicy;
    expect(independenceDaysOf(rest)).toBe(30);
    expect(weakens(approval(), { gate: 'approval', policy: rest })).toBe(false);
    expect(weakens({ gate: 'approval', policy: rest }, approval({ independence_days: 29 }))).toBe(true);
  });

  it('never by itself, nor through two that weaken nothing', () => {
    let chains = 0;
    fc.assert(
      fc.property(someEffect, someEffect, someEffect, (one, two, three) => {
        expect(weakens(one, one)).toBe(false);
        if (weakens(one, two) || weakens(two, three)) return;
        chains += 1;
        expect(weakens(one, three)).toBe(false);
      }),
      { numRuns: 20_000 },
    );
    expect(chains).toBeGreaterThan(100);
  });
});

const population: EligiblePerson[] = [
  { user_id: 'ann', roles: ['r'] },
  { user_id: 'ben', roles: ['s'] },
  { user_id: 'cy', roles: ['r', 's'] },
  { user_id: 'di', roles: ['r'] },
  { user_id: 'ed', roles: ['s'] },
];

/** True when the votes of some people, each counted once, are enough for all steps. */
function meets(steps: readonly ApprovalStep[], voters: readonly EligiblePerson[]): boolean {
  const [wanted, ...rest] = steps.flatMap((one) => Array.from({ length: one.quorum }, () => ({ ...one, quorum: 1 })));
  if (wanted === undefined) return true;
  return voters.some((voter) => isEligible(wanted, voter) && meets(rest, voters.filter((other) => other !== voter)));
}

const crowds = Array.from({ length: 1 << population.length }, (_, choice) => population.filter((_one, at) => (choice >> at) % 2 === 1));

describe('what does not weaken', () => {
  it('lets no set of people through that the old policy stops, nor anybody more break the glass', () => {
    let pairs = 0;
    const pair = fc.tuple(someEffect, someEffect).filter(([one]) => one.gate === 'approval');
    fc.assert(
      fc.property(pair, ([one, two]) => {
        if (weakens(one, two)) return;
        pairs += 1;
        expect(two.gate).toBe('approval');
        for (const crowd of crowds) {
          if (meets(two.policy.steps, crowd) && !meets(one.policy.steps, crowd)) throw new Error(crowd.map(({ user_id }) => user_id).join());
        }
        expect(two.policy.bypassers.every((id) => one.policy.bypassers.includes(id))).toBe(true);
      }),
      { numRuns: 10_000 },
    );
    expect(pairs).toBeGreaterThan(100);
  });
});

describe('the strictest', () => {
  it('is one that none of the others is stricter than', () => {
    fc.assert(
      fc.property(fc.tuple(someEffect, someEffect, someEffect), (effects) => {
        const best = strictest(effects);
        expect(effects).toContain(best);
        expect(effects.some((one) => weakens(one, best) && !weakens(best, one))).toBe(false);
      }),
      { numRuns: 10_000 },
    );
  });

  it('is not lost where something that cannot be compared stands between', () => {
    const [two, other, one] = [approval({ steps: [step(['r'], 2)] }), approval({ steps: [step(['s'])] }), approval({ steps: [step(['r'])] })];
    expect(strictest([two, other, one])).toBe(two);
    expect(strictest([one, other, two])).toBe(other);
    expect(strictest([one, two])).toBe(two);
  });
});
