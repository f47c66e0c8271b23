import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { maxRetryAfterMs, minRetryAfterMs, retryAfterMs } from '../../../src/domain/shared/retry-after.ts';

const now = Date.parse('2026-11-21T12:00:00Z');

describe('RFC 9110, section 10.2.3: Retry-After', () => {
  it.each([
    ['120', 120_000],
    [' 7 ', 7_000],
    ['0', minRetryAfterMs],
    ['86400', maxRetryAfterMs],
    ['Sat, 21 Nov 2026 12:01:30 GMT', 90_000],
    ['Saturday, 21-Nov-26 12:01:30 GMT', 90_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', minRetryAfterMs],
    ['Mon, 01 Jan 2035 00:00:00 GMT', maxRetryAfterMs],
  ])('reads %j', (header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected);
  });

  it.each([undefined, '', 'soon', '-5', '1.5', '1e3', 'Sat, 99 Nov 2026 12:00:00 GMT', '2026-11-21T12:01:00Z'])(
    'makes nothing of %j',
    (header) => {
      expect(retryAfterMs(header, now)).toBeNull();
    },
  );

  it('never asks to wait for less or longer than the bounds, whatever a remote system sends', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.nat().map(String), fc.date({ noInvalidDate: true }).map((date) => date.toUTCString())), (header) => {
        const wait = retryAfterMs(header, now);
        expect(wait === null || (wait >= minRetryAfterMs && wait <= maxRetryAfterMs)).toBe(true);
      }),
    );
  });
});
