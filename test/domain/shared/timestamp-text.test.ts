import { describe, expect, it } from '@jest/globals';
import { timestampText, toTimestampText } from '../../../src/domain/shared/timestamp-text.ts';

describe('timestamps as text (X-19)', () => {
  it('have no trailing zeros, as the database gives them', () => {
    const texts = ['.120Z', '.100Z', '.000Z', '.123Z'].map((end) => timestampText(Date.parse(`2026-11-20T10:20:30${end}`)));
    expect(texts).toEqual(['.12Z', '.1Z', 'Z', '.123Z'].map((end) => `2026-11-20T10:20:30${end}`));
  });

  it.each([
    ['2026-01-01T10:00:00.1234+05:30', '2026-01-01T04:30:00.123Z'],
    ['2026-01-01T10:00:00.1235Z', '2026-01-01T10:00:00.124Z'],
    ['2026-12-31T23:59:59.9999996Z', '2027-01-01T00:00:00Z'],
    ['1000-01-01T00:00:00+14:00', '0999-12-31T10:00:00Z'],
  ])('are in UTC with at most milliseconds: %s', (given, text) => {
    expect(toTimestampText(given)).toBe(text);
  });

  it('leave what is no moment to whoever refuses it', () => {
    expect(toTimestampText('2026-12-31T23:59:60Z')).toBe('2026-12-31T23:59:60Z');
  });
});
