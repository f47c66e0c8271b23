import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { isBreakerOpen, newFailureRatio } from '../../../src/domain/queue/retry-breaker.ts';
import { maskedJobData, maskedText } from '../../../src/domain/queue/queue-job-masking.ts';
import { maySeeSource, perMinute, rateWindowMs } from '../../../src/domain/queue/queue.ts';
import {
  countByErrorClass,
  errorClassOf,
  selectForRetry,
} from '../../../src/domain/queue/queue-bulk-retry.ts';

const tenant = '11111111-1111-4111-8111-111111111111';
const other = '22222222-2222-4222-8222-222222222222';

describe('the tenant of a queue (S2-67)', () => {
  const bullmq = (source_name: string) => ({ provider: 'bullmq' as const, source_name });
  const taskQueue = (source_name: string) => ({ provider: 'temporal' as const, source_name });

  it('is part of its name; names without a tenant belong to the default tenant', () => {
    expect(maySeeSource(tenant, bullmq(`${tenant}.mails`), 'castellan')).toBe(true);
    expect(maySeeSource(tenant, bullmq(`${other}.mails`), 'castellan')).toBe(false);
    expect(maySeeSource(tenant, bullmq('mails'), 'castellan')).toBe(false);
    expect(maySeeSource(defaultTenantId, bullmq('mails'), 'castellan')).toBe(true);
    expect(maySeeSource(defaultTenantId, bullmq(`${other}.mails`), 'castellan')).toBe(false);
  });

  it('may be any for the task queue that all tenants share, but only in Temporal', () => {
    expect(maySeeSource(tenant, taskQueue('castellan'), 'castellan')).toBe(true);
    expect(maySeeSource(tenant, taskQueue('billing'), 'castellan')).toBe(false);
    expect(maySeeSource(tenant, bullmq('castellan'), 'castellan')).toBe(false);
  });
});

describe('job data', () => {
  it('is shown with secrets masked, by field name and by form, at any depth', () => {
    const data = { to: 'a@b.example', auth: { api_key: 'abc', note: 'Bearer abcdefghijk1' }, list: [{ password: 'x' }] };
    expect(maskedJobData(data)).toEqual({
      to: 'a@b.example',
      auth: { api_key: '[redacted]', note: '[redacted]' },
      list: [{ password: '[redacted]' }],
    });
    expect(maskedText('GET https://me:secret@host/?token=abc failed')).not.toMatch(/secret|abc/);
  });
});

describe('rates (S2-24)', () => {
  it('count the finished jobs of the window, or of the time that the read ones span when there are more', () => {
    const now = 10 * rateWindowMs;
    expect(perMinute([], now, true)).toBe(0);
    expect(perMinute([now, now - 1, now - rateWindowMs - 1], now, true)).toBeCloseTo(2 / 5);
    expect(perMinute([now, now - 30_000, now - 60_000], now, false)).toBeCloseTo(3);
  });
});

describe('bulk retry', () => {
  const failures = fc.array(
    fc.record({
      job_id: fc.uuid(),
      reason: fc.string(),
      error_class: fc.constantFrom('A: a', 'B: b', 'C: c'),
      failed_at: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    }),
    { maxLength: 60 },
  );

  it('puts failures that differ in numbers, ids and quoted parts into one class', () => {
    const stack = 'TypeError: x\n    at y';
    const classes = new Set(
      ['user 17 "a" at 10.0.0.1', 'user 4 "bc" at 10.0.0.2'].map((reason) => errorClassOf({ reason, stack })),
    );
    expect([...classes]).toEqual(['TypeError: user <n> <text> at <n>.<n>.<n>.<n>']);
    expect(errorClassOf({ reason: 'no stack' })).toBe('Error: no stack');
  });

  it('counts every failure exactly once', () => {
    fc.assert(
      fc.property(failures, (jobs) => {
        const classes = countByErrorClass(jobs);
        expect(classes.reduce((sum, { count }) => sum + count, 0)).toBe(jobs.length);
        expect(new Set(classes.map(({ error_class }) => error_class)).size).toBe(classes.length);
      }),
    );
  });

  it('selects the oldest failures of the wanted classes, up to the cap', () => {
    fc.assert(
      fc.property(failures, fc.subarray(['A: a', 'B: b']), fc.integer({ min: 1, max: 20 }), (jobs, error_classes, cap) => {
        const selected = selectForRetry(jobs, { error_classes, cap });
        const wanted = jobs.filter(({ error_class }) => error_classes.length === 0 || error_classes.includes(error_class as never));
        expect(selected).toHaveLength(Math.min(cap, wanted.length));
        const newest = Math.max(-1, ...selected.map(({ failed_at }) => failed_at));
        const older = wanted.filter(({ failed_at }) => failed_at < newest);
        expect(older.every((job) => selected.includes(job))).toBe(true);
      }),
    );
  });

  it('stops only above the threshold, and only with enough samples', () => {
    const breaker = { max_new_failure_ratio: 0.5, min_samples: 4 };
    expect(isBreakerOpen({ completed: 0, failed_again: 3 }, breaker)).toBe(false);
    expect(isBreakerOpen({ completed: 2, failed_again: 2 }, breaker)).toBe(false);
    expect(isBreakerOpen({ completed: 1, failed_again: 3 }, breaker)).toBe(true);
    expect(newFailureRatio({ completed: 0, failed_again: 0 })).toBeNull();
    fc.assert(
      fc.property(fc.nat(100), fc.nat(100), fc.integer({ min: 1, max: 50 }), (completed, failed_again, min_samples) => {
        const worse = { completed, failed_again: failed_again + 1 };
        const limit = { max_new_failure_ratio: 0.3, min_samples };
        // A further failure never closes an open breaker.
        expect(isBreakerOpen({ completed, failed_again }, limit) && !isBreakerOpen(worse, limit)).toBe(false);
      }),
    );
  });
});
