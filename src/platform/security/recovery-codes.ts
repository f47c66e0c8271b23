import { createHash, randomInt } from 'node:crypto';

/** How many codes a person is given at once. */
const recoveryCodeCount = 10;

/** Crockford's base32: no I, L, O or U, so that a code can be read from paper. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const codeLength = 16;

/**
 * New single-use recovery codes in the form `XXXX-XXXX-XXXX-XXXX`. Each has 80 random bits, which is why a plain hash
 * is enough at rest (S4-27): there is nothing to guess.
 */
export function generateRecoveryCodes(): string[] {
  return Array.from({ length: recoveryCodeCount }, () => {
    const symbols = Array.from({ length: codeLength }, () => alphabet.charAt(randomInt(alphabet.length)));
    return symbols.join('').replace(/(.{4})(?!$)/g, '$1-');
  });
}

/** The form in which a code is stored and looked up: SHA-256 in hex. Case, spaces and dashes do not matter. */
export function hashRecoveryCode(code: string): string {
  const normalised = code
    .toUpperCase()
    .replace(/[^0-9A-Z]/g, '')
    .replace(/[IL]/g, '1')
    .replace(/O/g, '0');
  return createHash('sha256').update(normalised, 'utf8').digest('hex');
}
