import { timingSafeEqual } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

/** Seconds of one time step (RFC 6238 §5.2). */
export const totpPeriodSeconds = 30;
const digits = 6;
/** 160 bits: the length of the HMAC's output, as RFC 4226 §4 recommends. */
const secretBytes = 20;

/**
 * How many time steps old a code may be. A sign-in accepts one, for clocks that differ and slow typing; a step-up before a
 * sensitive change accepts none, so that a code is valid for 30 seconds at most (ASVS 6.5.5).
 */
export const totpStepsBack = { signIn: 1, stepUp: 0 } as const;

/** A new shared secret in base32, as authenticator apps take it. */
export function generateTotpSecret(): string {
  return new Secret({ size: secretBytes }).base32;
}

/** The `otpauth://` address that an authenticator app scans as a QR code. */
export function totpKeyUri(secret: string, account: string): string {
  return totp(secret, account).toString();
}

/** The number of the time step at `nowMs`. */
export function totpStepAt(nowMs: number): number {
  return Math.floor(nowMs / 1000 / totpPeriodSeconds);
}

/** The code of one time step. Sample data and tests use it; production only compares. */
export function totpCodeOfStep(secret: string, step: number): string {
  return totp(secret).generate({ timestamp: step * totpPeriodSeconds * 1000 });
}

/**
 * Finds the step whose code this is among the current one and `stepsBack` earlier ones, never a later one. The caller
 * stores the step, so that its code works once. Every candidate is compared in constant time.
 */
export function matchTotpStep(options: {
  secret: string;
  code: string;
  nowMs: number;
  stepsBack: number;
}): number | null {
  const current = totpStepAt(options.nowMs);
  let match: number | null = null;
  for (let step = current; step >= current - options.stepsBack; step -= 1) {
    if (equalCodes(totpCodeOfStep(options.secret, step), options.code)) {
      match ??= step;
    }
  }
  return match;
}

function totp(secret: string, account = 'account'): TOTP {
  return new TOTP({
    issuer: 'Castellan',
    label: account,
    algorithm: 'SHA1',
    digits,
    period: totpPeriodSeconds,
    secret: Secret.fromBase32(secret),
  });
}

function equalCodes(expected: string, given: string): boolean {
  const left = Buffer.from(expected, 'utf8');
  const right = Buffer.from(given, 'utf8');
  return left.length === right.length && timingSafeEqual(left, right);
}
