import { describe, expect, it } from '@jest/globals';
import { generateRecoveryCodes, hashRecoveryCode } from '../../../src/platform/security/recovery-codes.ts';
import {
  generateTotpSecret,
  matchTotpStep,
  totpCodeOfStep,
  totpKeyUri,
  totpStepAt,
  totpStepsBack,
} from '../../../src/platform/security/totp.ts';

/** Base32 of the ASCII secret of RFC 6238 appendix B. */
const rfcSecret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

describe('TOTP (RFC 6238)', () => {
  // The appendix prints eight digits; six are their last six.
  it.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ])('gives the published code at second %i', (second, code) => {
    const step = totpStepAt(second * 1000);
    expect(totpCodeOfStep(rfcSecret, step)).toBe(code);
    expect(matchTotpStep({ secret: rfcSecret, code, nowMs: second * 1000, stepsBack: 0 })).toBe(step);
  });

  it('accepts a code one step old at sign-in, none at a step-up, and never a later one', () => {
    const nowMs = 1_800_000_000_000;
    const step = totpStepAt(nowMs);
    const match = (offset: number, stepsBack: number) =>
      matchTotpStep({ secret: rfcSecret, code: totpCodeOfStep(rfcSecret, step + offset), nowMs, stepsBack });
    expect([match(0, totpStepsBack.signIn), match(-1, totpStepsBack.signIn)]).toEqual([step, step - 1]);
    expect([match(-2, totpStepsBack.signIn), match(1, totpStepsBack.signIn)]).toEqual([null, null]);
    expect([match(0, totpStepsBack.stepUp), match(-1, totpStepsBack.stepUp)]).toEqual([step, null]);
  });

  it.each(['', '28708', '2870820', ' 287082', '287082\n', 'abcdef', '２８７０８２'])('refuses the code %j', (code) => {
    expect(matchTotpStep({ secret: rfcSecret, code, nowMs: 59_000, stepsBack: 1 })).toBeNull();
  });

  it('makes secrets of 160 bits and the URI that apps scan', () => {
    const secret = generateTotpSecret();
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(generateTotpSecret()).not.toBe(secret);
    const uri = new URL(totpKeyUri(secret, 'ana@example.com'));
    expect(uri.protocol).toBe('otpauth:');
    expect(decodeURIComponent(uri.pathname)).toContain('Castellan:ana@example.com');
    expect(Object.fromEntries(uri.searchParams)).toMatchObject({
      secret,
      issuer: 'Castellan',
      digits: '6',
      period: '30',
    });
  });
});

describe('recovery codes (S4-27)', () => {
  it('are ten different ones that can be read from paper', () => {
    const codes = generateRecoveryCodes();
    expect(new Set(codes).size).toBe(10);
    for (const code of codes) {
      expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
    }
  });

  it('have the same hash however they are typed', () => {
    const hash = hashRecoveryCode('10AB-CDEF-GHJK-MNPQ');
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(hashRecoveryCode(' 10ab cdef ghjk mnpq ')).toBe(hash);
    expect(hashRecoveryCode('IOAB-CDEF-GHJK-MNPQ')).toBe(hash);
    expect(hashRecoveryCode('11AB-CDEF-GHJK-MNPQ')).not.toBe(hash);
  });
});
