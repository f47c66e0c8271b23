import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { holdsSecret, isSecretName, redactChange, redacted, redactedChange, wellFormed } from '../../../src/domain/audit/audit-redaction.ts';
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

describe('T-16, S2-58: secrets inside of texts', () => {
  const token = `cst_${'0a'.repeat(32)}${'x'.repeat(43)}`;

  it.each([
    ['a service token of ours', `refused ${token} twice`, `refused ${redacted} twice`],
    ['password=', 'login failed password=hunter2 for Ada', `login failed password=${redacted} for Ada`],
    ['pwd in a connection string', 'Server=db;Uid=app;Pwd=hunter2;', `Server=db;Uid=app;Pwd=${redacted};`],
    ['a quoted value', 'sent "client_secret": "a b c", then stopped', `sent "client_secret": ${redacted}, then stopped`],
    ['a token by colon', 'api_key: 8f14e45f', `api_key: ${redacted}`],
    ['a CPF by name', 'cpf=52998224725', `cpf=${redacted}`],
    ['a card with blanks', 'charged 4111 1111 1111 1111 today', `charged ${redacted} today`],
    ['a card with dashes', '5500-0000-0000-0004', redacted],
    ['a card of fifteen digits', 'amex 378282246310005', `amex ${redacted}`],
    ['an address that is a secret', 'https://hooks.slack.com/services/T0/B0/abc', `https://hooks.slack.com/services/${redacted}`],
    ['a link for a newcomer', `open https://app.example/api/admin/onboarding/o/${'Ab1_'.repeat(8)} now`, `open https://app.example/api/admin/onboarding/o/${redacted} now`],
    ['a one-time link', `https://app.example/account-link#${'x'.repeat(43)}`, `https://app.example/account-link#${redacted}`],
    ['a token in an address', 'https://metrics.example/api?token=abc&step=15', `https://metrics.example/api?token=${redacted}&step=15`],
  ])('hides %s', (_what, text, visible) => {
    expect(shown({ text })).toEqual({ text: visible });
    expect(holdsSecret(text)).toBe(true);
  });

  it.each([
    'exit code: 1',
    'token_count=3',
    'the time 1764541234567 and the id 4111111111111112',
    'phone +91 98765 43210',
    '2026-11-30T10:00:00.000Z',
    'https://metrics.example/api/v1/query?step=15',
  ])('shows %s', (text) => {
    expect(shown({ text })).toEqual({ text });
    expect(holdsSecret(text)).toBe(false);
  });

  it('hides every number with a right check digit, however it is grouped', () => {
    const digit = fc.integer({ min: 0, max: 9 });
    const card = fc.tuple(fc.constantFrom(2, 3, 4, 5, 6), fc.array(digit, { minLength: 14, maxLength: 14 })).map(([first, rest]) => {
      const body = [first, ...rest];
      const sum = body.toReversed().reduce((total, one, place) => total + (place % 2 === 1 ? one : one < 5 ? one * 2 : one * 2 - 9), 0);
      return [...body, (10 - (sum % 10)) % 10].join('');
    });
    fc.assert(
      fc.property(card, fc.constantFrom('', ' ', '-'), (number, separator) => {
        const written = number.replace(/(\d{4})(?=\d)/g, `$1${separator}`);
        expect(shown({ text: `card ${written}.` })).toEqual({ text: `card ${redacted}.` });
      }),
    );
  });
});
