import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { healthSegments } from '../../../src/domain/health/health-history.ts';
import { allHealthMetrics, healthMetrics, measurementsOf } from '../../../src/domain/health/health-metric.ts';
import { componentStatus, worstStatus } from '../../../src/domain/health/health-status.ts';
import { summarizeHealth } from '../../../src/domain/health/health-summary.ts';

const day = 86_400_000;
const now = Date.parse('2026-11-21T16:40:12.345Z');

describe('S2-33: the resolution that a time span is read from', () => {
  it('covers all of the span once, in order, each part from one resolution', () => {
    const moments = fc.integer({ min: now - 500 * day, max: now });
    fc.assert(
      fc.property(moments, fc.integer({ min: 1, max: 500 * day }), (from, length) => {
        const to = Math.min(now, from + length);
        const segments = healthSegments(from, to, now);
        if (from >= to) return expect(segments).toEqual([]);
        expect(segments[0]?.from).toBe(from);
        expect(segments.at(-1)?.to).toBe(to);
        segments.slice(1).forEach((segment, index) => {
          expect(segment.from).toBe(segments[index]?.to);
          expect(segment.resolution).toBeLessThan(segments[index]?.resolution ?? 0);
          // Averages begin on full hours or five minutes, so none crosses a boundary.
          expect(segment.from % 3_600_000).toBe(0);
        });
      }),
    );
  });

  it('is that of single measurements for the last day', () => {
    expect(healthSegments(now - 3_600_000, now, now)).toEqual([{ resolution: 0, from: now - 3_600_000, to: now }]);
  });
});

describe('the measurements of a probe', () => {
  it('are numbers, unknown with a reason, or left out where they do not apply', () => {
    const metrics = [
      'database.up',
      'database.latency_ms',
      'database.replication_lag_seconds',
      'database.replicas',
    ] as const;
    const readings = {
      'database.up': 1,
      'database.latency_ms': Number.NaN,
      'database.replicas': { unknown: 'x'.repeat(999) },
    };
    expect(measurementsOf(metrics, { readings })).toEqual([
      { metric: 'database.up', value: 1, reason: null },
      { metric: 'database.latency_ms', value: null, reason: 'The probe gave no number.' },
      { metric: 'database.replicas', value: null, reason: 'x'.repeat(300) },
    ]);
    expect(measurementsOf(['api.up'], { failure: 'away' })).toEqual([
      { metric: 'api.up', value: null, reason: 'away' },
    ]);
  });
});

describe('S2-32: the status of a component', () => {
  const up = { metric: 'api.up', value: 1, reason: null } as const;

  it('is down, unknown, degraded or up, in this precedence', () => {
    const unknown = { metric: 'api.latency_ms', value: null, reason: 'away' } as const;
    const none = new Set<string>();
    expect(componentStatus([{ ...up, value: 0 }, unknown], none)).toBe('down');
    expect(componentStatus([up, unknown], new Set(['api.up']))).toBe('unknown');
    expect(componentStatus([up], new Set(['api.up']))).toBe('degraded');
    expect(componentStatus([up], none)).toBe('up');
    expect(componentStatus([], none)).toBe('unknown');
  });

  it('of several is the worst, and unknown of none', () => {
    expect(worstStatus(['up', 'degraded', 'unknown'])).toBe('unknown');
    expect(worstStatus(['up', 'down', 'unknown'])).toBe('down');
    expect(worstStatus([])).toBe('unknown');
  });

  it('is of metrics of one scope that are named after the component', () => {
    for (const name of allHealthMetrics) {
      const { component, scope } = healthMetrics[name];
      expect(name.split('.')[0]).toBe(component);
      const scopes = allHealthMetrics
        .filter((other) => healthMetrics[other].component === component)
        .map((other) => healthMetrics[other].scope);
      expect(new Set(scopes)).toEqual(new Set([scope]));
    }
  });
});

describe('S2-32: why a component is as it is', () => {
  const at = new Date(now - 30_000).toISOString();
  const present = { temporal: 'up', worker: 'up', missing: [], hasRedis: true, audit: [] } as const;
  const alerts = { firing: new Set<string>(), wasEvaluated: true };
  const find = (name: string, rows: Parameters<typeof summarizeHealth>[0]) =>
    summarizeHealth(rows, alerts, present, now).components.find(({ component }) => component === name);

  it('Redis that is configured and does not answer is down, in words', () => {
    const latency = { metric: 'redis.latency_ms', value: 0.4, reason: null, at };
    expect(find('redis', [latency, { metric: 'redis.up', value: 0, reason: null, at }])).toMatchObject({
      status: 'down',
      reason: 'Redis does not answer; the queues that it keeps cannot be reached.',
    });
    expect(find('redis', [latency, { metric: 'redis.up', value: 1, reason: null, at }])).toMatchObject({ status: 'up', reason: null });
  });

  it.each(allHealthMetrics.filter((metric) => healthMetrics[metric].unit === 'up'))('a component that is down by %s says so', (metric) => {
    const { component } = healthMetrics[metric];
    expect(find(component, [{ metric, value: 0, reason: null, at }])).toMatchObject({ status: 'down', reason: expect.stringMatching(/ not .+\.$/) });
  });

  it('what could not be measured keeps the reason of its probe', () => {
    expect(find('database', [{ metric: 'database.latency_ms', value: null, reason: 'The probe failed (57014).', at }])).toMatchObject({
      status: 'unknown',
      reason: 'The probe failed (57014).',
    });
  });
});
