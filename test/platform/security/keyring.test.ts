import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SealedValueError, createKeyring, parseKeyList } from '../../../src/platform/security/keyring.ts';

const base64Key = (): string => randomBytes(32).toString('base64');
const oldKey = `2025:${base64Key()}`;
const newKey = `2026:${base64Key()}`;
const ringOf = (setting: string) => createKeyring(parseKeyList(setting, 'ENCRYPTION_KEYS'));
const place = { table: 'mfa_factors', column: 'secret_ciphertext', row_id: 'c9b1d0f6-0a5e-4f57-9a52-3f8b1f0b0001' };

describe('encryption at rest', () => {
  it('opens any text that it sealed, and seals the same text differently every time', () => {
    const ring = ringOf(newKey);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (secret) => {
        const first = ring.seal(secret, place);
        expect(ring.open(first, place)).toBe(secret);
        expect(ring.seal(secret, place)).not.toBe(first);
      }),
    );
  });

  it('names its key in the ciphertext and holds nothing readable', () => {
    const sealed = ringOf(`${newKey},${oldKey}`).seal('canary-secret', place);
    expect(sealed).toMatch(/^v1\.2026\.[\w-]+$/);
    expect(Buffer.from(sealed.split('.')[2] ?? '', 'base64url').toString('latin1')).not.toContain('canary');
  });

  it.each([
    ['another row', { ...place, row_id: 'c9b1d0f6-0a5e-4f57-9a52-3f8b1f0b0002' }],
    ['another column', { ...place, column: 'previous_secret_ciphertext' }],
    ['another table', { ...place, table: 'notification_channels' }],
  ])('does not open a value that was moved to %s', (_where, elsewhere) => {
    const ring = ringOf(newKey);
    const sealed = ring.seal('secret', place);
    expect(() => ring.open(sealed, elsewhere)).toThrow(SealedValueError);
  });

  it('does not open a value of which any byte was changed, nor a truncated one', () => {
    const ring = ringOf(newKey);
    const [version, keyId, body = ''] = ring.seal('secret', place).split('.');
    const bytes = Buffer.from(body, 'base64url');
    for (let index = 0; index < bytes.length; index += 1) {
      const altered = Buffer.from(bytes);
      altered.writeUInt8(altered.readUInt8(index) ^ 1, index);
      expect(() => ring.open(`${version}.${keyId}.${altered.toString('base64url')}`, place)).toThrow(SealedValueError);
    }
    for (const length of [0, 11, 27, bytes.length - 1]) {
      const cut = bytes.subarray(0, length).toString('base64url');
      expect(() => ring.open(`${version}.${keyId}.${cut}`, place)).toThrow(SealedValueError);
    }
  });

  it.each(['', 'plain', 'v2.2026.AAAA', 'v1.2026', 'v1.2026.AAAA.BBBB'])('refuses the malformed value %j', (value) => {
    expect(() => ringOf(newKey).open(value, place)).toThrow(SealedValueError);
  });

  it('opens values of a retired key, tells that they are to be sealed again, and refuses them once the key is removed', () => {
    const sealed = ringOf(oldKey).seal('secret', place);
    const both = ringOf(`${newKey},${oldKey}`);
    expect(both.open(sealed, place)).toBe('secret');
    expect(sealed.startsWith(both.sealedPrefix)).toBe(false);
    expect(both.seal('secret', place).startsWith(both.sealedPrefix)).toBe(true);
    expect(() => ringOf(newKey).open(sealed, place)).toThrow('No key "2025"');
  });

  it('does not open a value with another key of the same id', () => {
    const sealed = ringOf(`k:${base64Key()}`).seal('secret', place);
    expect(() => ringOf(`k:${base64Key()}`).open(sealed, place)).toThrow(SealedValueError);
  });

  it('compares secrets by keyed fingerprint, also after the key was rotated', () => {
    const before = ringOf(oldKey).fingerprint('sk_value');
    const both = ringOf(`${newKey},${oldKey}`);
    expect(before).toMatch(/^2025:[0-9a-f]{32}$/);
    expect(both.fingerprint('sk_value')).not.toBe(before);
    expect(both.matchesFingerprint('sk_value', before)).toBe(true);
    expect(both.matchesFingerprint('sk_other', before)).toBe(false);
    expect(both.matchesFingerprint('sk_value', 'nonsense')).toBe(false);
    expect(ringOf(newKey).matchesFingerprint('sk_value', before)).toBe(false);
  });
});

describe('the key setting', () => {
  it.each([
    ['', 'entry 1'],
    ['no-separator', 'entry 1'],
    [`a b:${base64Key()}`, 'entry 1'],
    ['short:AAAA', 'must be 32 bytes'],
    [`${newKey},`, 'entry 2'],
    [`${newKey},${newKey}`, 'only once'],
  ])('refuses %j with the name of the setting and without the key', (setting, reason) => {
    const parse = () => parseKeyList(setting, 'ENCRYPTION_KEYS');
    expect(parse).toThrow(reason);
    expect(parse).toThrow('ENCRYPTION_KEYS');
    expect(parse).not.toThrow(newKey.slice(5, 20));
  });
});
