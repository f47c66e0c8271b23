import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isSecretName, redactChange, redacted, redactedChange, wellFormed } from '../../../src/domain/audit/audit-redaction.ts';
import { canonicalJson } from '../../../src/domain/shared/canonical.ts';

const shown = (value: unknown) => redactChange({ new_values: value }).new_values;
const secretNames = [
  'password',
  'new_password',
  'passwordConfirmation',
  'password_hash',
  'token_hash',
  'access_token',
  'refreshToken',
  'X-MFA-Token',
  'totp_secret',
  'secret_ciphertext',
  'client_secret',
  'api_key',
  'apiKeys',
  'privateKey',
  'Authorization',
  'Set-Cookie',
  'recovery_codes',
  'code',
  'codes',
  'otpauth_url',
  'cpf',
  'holder_cpf',
  'pin',
  'salt',
  'card_number',
];
const openNames = [
  'name',
  'key',
  'country_code',
  'enabled',
  'percentage',
  'password_changed_at',
  'token_count',
  'mfa_enabled',
  'hashtag',
  'opinion',
  'company',
  'session_id',
  'payload_digest',
  'time_zone',
];

describe('redaction by field before writing (S4-24)', () => {
  it.each(secretNames)('hides %s', (name) => {
    expect(isSecretName(name)).toBe(true);
    expect(shown({ deep: [{ [name]: 'canary' }] })).toEqual({ deep: [{ [name]: redacted }] });
  });

  it.each(openNames)('shows %s', (name) => {
    expect(isSecretName(name)).toBe(false);
  });

  it('hides and shows what the rule of a resource says', () => {
    const rule = { hide: ['value'], show: ['code'] };
    expect(redactChange({ new_values: { value: 'x', code: 'IN' } }, rule).new_values).toEqual({ value: redacted, code: 'IN' });
  });

  it('states that a hidden value was changed, but not how', () => {
    const change = redactChange({
      old_values: { password: 'a', pin: 1, token: 'same' },
      new_values: { password: 'b', pin: 2, token: 'same' },
    });
    expect(change.old_values).toEqual({ password: redacted, pin: redacted, token: redacted });
    expect(change.new_values).toEqual({ password: redactedChange, pin: redactedChange, token: redacted });
  });

  it('shows whether a secret is set', () => {
    expect(shown({ totp_secret: null, password: true })).toEqual({ totp_secret: null, password: true });
  });

  it.each([
    ['eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl', redacted],
    ['Bearer canary-canary-canary', redacted],
    ['$argon2id$v=19$m=19456,t=2,p=1$canary$canary', redacted],
    ['-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----', redacted],
    ['otpauth://totp/x?secret=canary', redacted],
    ['sk_live_canary0123456789', redacted],
    ['client 123.456.789-09 called', `client ${redacted} called`],
    ['postgres://app:canary@db/x', `postgres://app:${redacted}@db/x`],
    ['https://x.test/join?token=canary&lang=en', `https://x.test/join?token=${redacted}&lang=en`],
    ['{"password":"canary","name":"Ann"}', `{"password":"${redacted}","name":"Ann"}`],
  ])('knows the secret in %s by its look', (text, expected) => {
    expect(shown({ note: text })).toEqual({ note: expected });
  });

  it('leaves no value of a secret field at any place, and always gives canonical JSON', () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(value, value, fc.constantFrom(...secretNames), (left, right, name) => {
        const canary = 'canary-7f3a';
        const hidden = { left, list: [right, { [name]: canary }, JSON.stringify({ [name]: [canary] })] };
        const text = canonicalJson(redactChange({ old_values: hidden, new_values: { again: hidden } }));
        expect(text).not.toContain(canary);
      }),
    );
  });

  it('makes anything storable: NUL, lone surrogates, dates, big integers, bytes, cycles', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    const values = {
      text: 'a\u0000b\ud800c',
      'k\u0000': 1,
      date: new Date(0),
      big: 12n,
      bytes: Buffer.from('canary'),
      odd: [Number.NaN, undefined, () => 1],
      gone: undefined,
      cycle,
    };
    const plain = shown(values) as Record<string, unknown>;
    expect(plain).toMatchObject({
      text: 'a\ufffdb\ufffdc',
      'k\ufffd': 1,
      date: '1970-01-01T00:00:00.000Z',
      big: '12',
      bytes: '[6 bytes]',
      odd: ['NaN', null, null],
    });
    expect(plain).not.toHaveProperty('gone');
    expect(canonicalJson(plain)).toContain('[too deep]');
    expect(wellFormed('\udc00')).toBe('\ufffd');
  });
});
