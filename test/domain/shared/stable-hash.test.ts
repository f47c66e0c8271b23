import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bucketCount, bucketOf, murmur3 } from '../../../src/domain/shared/stable-hash.ts';

describe('stable hash', () => {
  it('gives the published vectors of MurmurHash3 x86 32', () => {
    expect(murmur3('')).toBe(0);
    expect(murmur3('', 1)).toBe(0x514e28b7);
    expect(murmur3('test')).toBe(0xba6bd213);
    expect(murmur3('test', 0x9747b28c)).toBe(0x704b81dc);
    expect(murmur3('Hello, world!')).toBe(0xc0363e43);
    expect(murmur3('Hello, world!', 0x9747b28c)).toBe(0x24884cba);
    expect(murmur3('The quick brown fox jumps over the lazy dog', 0x9747b28c)).toBe(0x2fa826cd);
    expect(murmur3('ππππππππ', 0x9747b28c)).toBe(0xd58063c1);
  });

  it('keeps every subject on the line', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (flag, subject) => {
        const bucket = bucketOf(flag, subject);
        expect(Number.isInteger(bucket) && bucket >= 0 && bucket < bucketCount).toBe(true);
        expect(bucketOf(flag, subject)).toBe(bucket);
      }),
    );
  });

  it('spreads subjects evenly and independently for each flag', () => {
    const subjects = Array.from({ length: 20_000 }, (_, index) => `user-${index}`);
    const inFirstTenth = (flag: string) => new Set(subjects.filter((subject) => bucketOf(flag, subject) < 10_000));
    const first = inFirstTenth('checkout');
    const second = inFirstTenth('search');
    expect(Math.abs(first.size - 2_000)).toBeLessThan(200);
    expect(Math.abs(second.size - 2_000)).toBeLessThan(200);
    const both = [...first].filter((subject) => second.has(subject)).length;
    expect(Math.abs(both - 200)).toBeLessThan(80);
  });
});
