import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { guardVerdict, jointVerdict, unmeasured, watchGuard } from '../../../src/domain/config/config-guard.ts';
import type { Guard, GuardWatch, Measurement } from '../../../src/domain/config/config-guard.ts';

const guard: Guard = {
  name: 'errors',
  source: { kind: 'health', metric: 'api.error_rate' },
  bad_when: 'above',
  threshold: 5,
  for_seconds: 60,
  min_samples: 3,
};
const value = (number: number, samples: number | null = 10): Measurement => ({ kind: 'value', value: number, samples });
const unknown: Measurement = { kind: 'unknown', reason: 'away' };

function watched(measurements: readonly Measurement[], asked: Guard = guard): { watch: GuardWatch; at: number } {
  const watch = measurements.reduce((seen, one, index) => watchGuard(asked, seen, one, index * 30_000), unmeasured);
  return { watch, at: (measurements.length - 1) * 30_000 };
}
const verdict = (measurements: readonly Measurement[], asked: Guard = guard) => {
  const { watch, at } = watched(measurements, asked);
  return guardVerdict(asked, watch, at);
};

describe('verdicts of a guard by threshold, duration and minimum samples', () => {
  it('is bad only after the breach has lasted for for_seconds', () => {
    expect(verdict([value(9)])).toBe('undecided');
    expect(verdict([value(9), value(9)])).toBe('undecided');
    expect(verdict([value(9), value(9), value(9)])).toBe('bad');
    expect(verdict([value(9), value(1), value(9), value(9)])).toBe('undecided');
    expect(verdict([value(9), unknown, value(9)])).toBe('undecided');
    expect(verdict([value(5)])).toBe('good');
    expect(verdict([value(1)], { ...guard, bad_when: 'below', for_seconds: 0 })).toBe('bad');
  });

  it('is unknown with too few samples, without a source, and before the first measurement', () => {
    expect(guardVerdict(guard, unmeasured, 0)).toBe('unknown');
    expect(verdict([unknown])).toBe('unknown');
    expect(verdict([value(0, 2)])).toBe('unknown');
    expect(verdict([value(99, 2)])).toBe('unknown');
    expect(verdict([value(0, null), value(0, null)])).toBe('unknown');
    expect(verdict([value(0, null), value(0, null), value(0, null)])).toBe('good');
  });

  it('takes the verdict of a webhook', () => {
    const judged = { ...guard, for_seconds: 0, min_samples: 1 };
    expect(verdict([{ kind: 'verdict', verdict: 'bad' }], judged)).toBe('bad');
    expect(verdict([{ kind: 'verdict', verdict: 'good' }], judged)).toBe('good');
  });

  it('is the worst of several guards', () => {
    expect(jointVerdict([])).toBe('good');
    expect(jointVerdict(['good', 'undecided'])).toBe('undecided');
    expect(jointVerdict(['undecided', 'unknown'])).toBe('unknown');
    expect(jointVerdict(['unknown', 'bad', 'good'])).toBe('bad');
  });

  it('is never good unless the latest measurement is within the threshold', () => {
    const measurement = fc.oneof(
      fc.constant(unknown),
      fc.record({ kind: fc.constant('value' as const), value: fc.integer({ min: 0, max: 10 }), samples: fc.nat(6) }),
    );
    fc.assert(
      fc.property(fc.array(measurement, { minLength: 1, maxLength: 20 }), (measurements) => {
        const last = measurements.at(-1);
        const isGood = last?.kind === 'value' && last.samples >= 3 && last.value <= 5;
        expect(verdict(measurements) === 'good').toBe(isGood);
      }),
    );
  });
});
