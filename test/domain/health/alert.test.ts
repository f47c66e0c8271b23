import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  afterStep,
  alertComparators,
  breaks,
  isClearSide,
  isSuppressed,
  notificationsDue,
  observe,
  stepAlert,
} from '../../../src/domain/health/alert.ts';
import type { NotificationState, AlertRule, AlertStanding, AlertStep, Observed } from '../../../src/domain/health/alert.ts';

const minute = 60_000;

/** Thresholds of every kind whose clear threshold is on the good side. */
const rules: fc.Arbitrary<AlertRule> = fc
  .record({
    comparator: fc.constantFrom(...alertComparators),
    threshold: fc.integer({ min: -10, max: 10 }),
    margin: fc.integer({ min: 0, max: 5 }),
    for_seconds: fc.constantFrom(0, 60, 150, 600),
  })
  .map(({ comparator, threshold, margin, for_seconds }) => ({
    comparator,
    threshold,
    clear_threshold: comparator.startsWith('g') ? threshold - margin : threshold + margin,
    for_seconds,
  }));

/** A series of observations a minute apart, some of them unknown. */
const series: fc.Arbitrary<Observed[]> = fc.array(
  fc.oneof({ weight: 5, arbitrary: fc.integer({ min: -15, max: 15 }) }, { weight: 1, arbitrary: fc.constant(null) }),
  { maxLength: 60 },
);

interface Taken {
  readonly at: number;
  readonly observed: Observed;
  readonly step: AlertStep;
  readonly before: AlertStanding;
}

function run(rule: AlertRule, observations: readonly Observed[]): Taken[] {
  let standing: AlertStanding = { state: 'quiet' };
  return observations.map((observed, index) => {
    const at = index * minute;
    const before = standing;
    const step = stepAlert(rule, before, observed, at);
    standing = afterStep(before, step, at);
    return { at, observed, step, before };
  });
}

describe('S2-75: pending → firing → resolved', () => {
  it('fires only after the threshold was broken for `for_seconds` without a good value in between', () => {
    fc.assert(
      fc.property(rules, series, (rule, observations) => {
        const taken = run(rule, observations);
        taken.forEach(({ step, at }, index) => {
          if (step !== 'fire') return;
          const beginning = at - rule.for_seconds * 1000;
          const seen = taken.slice(0, index + 1).filter((one) => one.at >= beginning && one.observed !== null);
          for (const { observed } of seen) expect(breaks(rule.comparator, observed ?? 0, rule.threshold)).toBe(true);
          expect(taken.some((one) => one.at <= beginning && one.observed !== null) || rule.for_seconds === 0).toBe(
            true,
          );
        });
      }),
    );
  });

  it('alternates: an alert fires once before it is resolved, and is resolved only after it fired', () => {
    fc.assert(
      fc.property(rules, series, (rule, observations) => {
        const turns = run(rule, observations).flatMap(({ step }) =>
          step === 'fire' || step === 'resolve' ? [step] : [],
        );
        turns.forEach((turn, index) => expect(turn).toBe(index % 2 === 0 ? 'fire' : 'resolve'));
      }),
    );
  });

  it('does not change on unknown data', () => {
    fc.assert(
      fc.property(rules, series, (rule, observations) => {
        for (const { observed, step } of run(rule, observations)) if (observed === null) expect(step).toBe('stay');
      }),
    );
  });

  it('resolves only beyond the clear threshold: a value between the two keeps it firing', () => {
    fc.assert(
      fc.property(rules, series, (rule, observations) => {
        expect(isClearSide(rule)).toBe(true);
        for (const { observed, step, before } of run(rule, observations)) {
          if (before.state !== 'firing' || observed === null) continue;
          expect(step === 'resolve').toBe(!breaks(rule.comparator, observed, rule.clear_threshold));
        }
      }),
    );
  });

  it('S2-75: a value that flickers below `for` never fires', () => {
    const rule: AlertRule = { comparator: 'gt', threshold: 5, clear_threshold: 3, for_seconds: 180 };
    const flicker = Array.from({ length: 30 }, (_, index) => (index % 3 === 2 ? 5 : 9));
    expect(run(rule, flicker).filter(({ step }) => step === 'fire')).toEqual([]);
  });

  it.each([
    ['gt', 6, 5, false],
    ['gte', 5, 6, false],
    ['lt', 5, 6, true],
    ['lte', 5, 4, false],
  ] as const)('tells the good side of %s', (comparator, threshold, clear_threshold, isGood) => {
    const expected = comparator === 'gt' ? true : isGood;
    expect(isClearSide({ comparator, threshold, clear_threshold })).toBe(expected);
  });
});

describe('the observed value of a threshold', () => {
  const window = { avg: 2, min: 1, max: 3, last: 3, last_at: 10 * minute };

  it('is the aggregate of its window, or the newest measurement', () => {
    expect(observe(window, { aggregate: 'min', window_seconds: 300 }, 10 * minute)).toBe(1);
    expect(observe(window, { aggregate: 'min', window_seconds: 0 }, 10 * minute)).toBe(3);
  });

  it('is unknown when nothing was measured recently, or the newest measurement is unknown', () => {
    expect(observe(window, { aggregate: 'avg', window_seconds: 3600 }, 14 * minute)).toBeNull();
    expect(observe({ ...window, last: null }, { aggregate: 'avg', window_seconds: 0 }, 10 * minute)).toBeNull();
    expect(observe({ ...window, last_at: null }, { aggregate: 'avg', window_seconds: 0 }, 10 * minute)).toBeNull();
  });
});

/**
 * A worker that handles one alert and may die anywhere: between the row and the notification, and between the notification
 * and its mark.
 */
describe('S2-75: every recipient is notified once', () => {
  type Move = 'fire' | 'resolve' | 'tell' | 'tell and be killed' | 'silence' | 'end silence';
  const moves = fc.array(
    fc.constantFrom<Move>('fire', 'resolve', 'tell', 'tell and be killed', 'silence', 'end silence'),
    { maxLength: 40 },
  );

  it('each alert sends one notification of firing and one of its end, or neither of them under a silence', () => {
    fc.assert(
      fc.property(moves, (list) => {
        const notified = new Map<string, number>();
        const deliveries = new Set<string>();
        const episodes: NotificationState[] = [];
        let isSilenced = false;
        let isSilencedSinceFired = false;
        const notify = (isKilled: boolean) => {
          episodes.forEach((episode, index) => {
            for (const status of notificationsDue(episode, isSilenced)) {
              const key = `${index}/${status}`;
              // Repetitions are recognised by the key of the notification.
              if (!deliveries.has(key)) notified.set(key, (notified.get(key) ?? 0) + 1);
              deliveries.add(key);
              if (isKilled) return;
              const current = episodes[index] ?? episode;
              episodes[index] =
                status === 'firing' ? { ...current, firing_told: true } : { ...current, resolved_told: true };
            }
          });
        };
        for (const move of list) {
          const last = episodes.at(-1);
          if (move === 'silence') isSilenced = true;
          else if (move === 'end silence') isSilenced = isSilencedSinceFired = false;
          else if (move === 'tell' || move === 'tell and be killed') notify(move === 'tell and be killed');
          else if (move === 'fire' && last?.status !== 'firing') {
            episodes.push(fired);
            isSilencedSinceFired = isSilenced;
          } else if (move === 'resolve' && last?.status === 'firing') {
            episodes[episodes.length - 1] = {
              ...last,
              status: 'resolved',
              suppressed: isSuppressed(last, isSilencedSinceFired),
            };
          }
        }
        isSilenced = false;
        notify(false);
        notify(false);
        episodes.forEach(({ status, suppressed }, index) => {
          const [firing, resolved] = [notified.get(`${index}/firing`) ?? 0, notified.get(`${index}/resolved`) ?? 0];
          expect({ firing, resolved }).toEqual(
            suppressed ? { firing: 0, resolved: 0 } : { firing: 1, resolved: status === 'resolved' ? 1 : 0 },
          );
        });
      }),
    );
  });

  const fired: NotificationState = { status: 'firing', firing_told: false, resolved_told: false, suppressed: false };
});
