import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import {
  applyRolloutTransition,
  getsCandidate,
  isRolloutClosed,
  pendingRollout,
  rolloutTransitions,
  rolloutRefusal,
  servedBy,
  shareOf,
  stagesOf,
} from '../../../src/domain/config/config-rollout.ts';
import type { RolloutPlan, RolloutStrategy } from '../../../src/domain/config/config-rollout.ts';

const plan = (strategy: RolloutStrategy, dry_run = false): RolloutPlan => ({
  strategy,
  guards: [],
  check_interval_seconds: 30,
  dry_run,
});
const shares = (strategy: RolloutStrategy) => stagesOf(strategy).map(({ percentage }) => percentage);

const someStrategy: fc.Arbitrary<RolloutStrategy> = fc.oneof(
  fc.record({ kind: fc.constant('all_at_once' as const), bake_seconds: fc.nat(100) }),
  fc.record({ kind: fc.constant('linear' as const), step_percentage: fc.integer({ min: 2, max: 100 }), bake_seconds: fc.nat(100) }),
  fc.record({
    kind: fc.constant('exponential' as const),
    start_percentage: fc.integer({ min: 1, max: 100 }),
    factor: fc.double({ min: 1.2, max: 20, noNaN: true }),
    bake_seconds: fc.nat(100),
  }),
);

describe('strategies', () => {
  it('grow as given and end at 100 %', () => {
    expect(shares({ kind: 'all_at_once', bake_seconds: 0 })).toEqual([100]);
    expect(shares({ kind: 'linear', step_percentage: 30, bake_seconds: 0 })).toEqual([30, 60, 90, 100]);
    expect(shares({ kind: 'exponential', start_percentage: 1, factor: 10, bake_seconds: 0 })).toEqual([1, 10, 100]);
    const nearly = { kind: 'exponential', start_percentage: 5, factor: 19.9999, bake_seconds: 0 } as const;
    expect(shares(nearly)).toEqual([5, 100]);
  });

  it('are refused when they shrink, stop below 100 %, or do not end', () => {
    const stages = (...list: number[]) => ({ kind: 'custom' as const, stages: list.map((percentage) => ({ percentage, bake_seconds: 0 })) });
    for (const bad of [stages(10, 50), stages(50, 10, 100), stages(10, 10, 100)]) expect(() => stagesOf(bad)).toThrow(RangeError);
    expect(() => stagesOf({ kind: 'linear', step_percentage: 0.001, bake_seconds: 0 })).toThrow(RangeError);
    expect(() => stagesOf({ kind: 'exponential', start_percentage: 1, factor: 1, bake_seconds: 0 })).toThrow(RangeError);
  });

  it('always grow', () => {
    fc.assert(
      fc.property(someStrategy, (strategy) => {
        const list = shares(strategy);
        expect(list.at(-1)).toBe(100);
        list.slice(1).forEach((share, index) => expect(share).toBeGreaterThan(list[index] ?? 0));
      }),
    );
  });
});

describe('the states of a rollout', () => {
  it('ends with either the old or the new version, whatever commands it got', () => {
    fc.assert(
      fc.property(someStrategy, fc.boolean(), fc.array(fc.constantFrom(...rolloutTransitions), { maxLength: 80 }), (strategy, isDry, said) => {
        const asked = plan(strategy, isDry);
        let rollout = pendingRollout;
        for (const command of said) {
          const before = rollout;
          if (rolloutRefusal(rollout, command) === null) rollout = applyRolloutTransition(asked, rollout, command);
          const served = servedBy(asked, rollout, { version: 2, previous: 1 });
          expect(rollout.step - before.step).toBeLessThanOrEqual(1);
          if (isRolloutClosed(before.status)) expect(rollout).toBe(before);
          const isNew = rollout.status === 'succeeded' && !isDry;
          expect(served.stable_version).toBe(isNew ? 2 : 1);
          expect((served.candidate_version === null) === (served.candidate_percentage === 0)).toBe(true);
          if (isRolloutClosed(rollout.status) || isDry) expect(served.candidate_version).toBeNull();
          // Only a guard whose verdict is good, or a person, gives more instances the new version.
          if (shareOf(asked, rollout) > shareOf(asked, before)) expect(['advance', 'promote']).toContain(command);
        }
      }),
    );
  });

  it('never goes on by itself from paused or holding', () => {
    for (const status of ['paused', 'holding'] as const) {
      expect(rolloutRefusal({ status, stage: 0, step: 2 }, 'advance')?.code).toBe('rollout.not-possible');
    }
    expect(rolloutRefusal({ status: 'restored', stage: 0, step: 2 }, 'resume')?.code).toBe('rollout.closed');
  });
});

describe('who gets the candidate', () => {
  it('is decided the same for an instance every time, and a larger share only adds instances', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.string({ minLength: 1 }), fc.integer({ min: 1, max: 99 }), (id, instance, percentage) => {
        const picked = getsCandidate(id, percentage, instance);
        expect(getsCandidate(id, percentage, instance)).toBe(picked);
        if (picked) expect(getsCandidate(id, percentage + 1, instance)).toBe(true);
        expect(getsCandidate(id, 100, instance)).toBe(true);
        expect(getsCandidate(id, percentage, null)).toBe(false);
      }),
    );
  });

  it('is about the given share of many instances', () => {
    for (const percentage of [1, 10, 50]) {
      const picked = Array.from({ length: 20_000 }, (_, index) => getsCandidate('d-1', percentage, `host-${index}`));
      const share = (picked.filter(Boolean).length / picked.length) * 100;
      expect(Math.abs(share - percentage)).toBeLessThan(1);
    }
  });
});
