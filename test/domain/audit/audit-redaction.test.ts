import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { holdsSecret, redactChange, redactedChange, wellFormed, withoutSecrets } from '../../../src/domain/audit/audit-redaction.ts';
import { isSecretName, redacted } from '../../../src/domain/audit/audit-secret-names.ts';
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
    ['a CPF of eleven digits', 'form of 52998224725, tax', `form of ${redacted}, tax`],
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

  /** Text, and what is left of it. */
  const hidden: readonly (readonly [kind: string, text: string, visible: string])[] = [
    ['an option with =', 'mysqldump --password=hunter2sekret db', `mysqldump --password=${redacted} db`],
    ['an option with a blank', 'deploy --api-key hunter2sekret now', `deploy --api-key ${redacted} now`],
    ['round brackets', 'password=(hunter2)', `password=${redacted}`],
    ['braces with blanks', 'Pwd={hunter 2}; Uid=app', `Pwd=${redacted}; Uid=app`],
    ['an open bracket', 'password=[hunter2', `password=${redacted}`],
    ['angle brackets', 'password=<hunter2> next', `password=${redacted} next`],
    ['several blanks', 'password   =   letmein next', `password   =   ${redacted} next`],
    ['an escaped quote', 'password="a\\"rest" next', `password=${redacted} next`],
    ['a doubled quote', "password='it''s me' next", `password=${redacted} next`],
    ['a quote that is never closed', 'password="let me in', `password=${redacted}`],
    ['an ampersand in prose', 'password=p&ss next', `password=${redacted} next`],
    ['commas and semicolons inside', 'password=p;s,s|x, next', `password=${redacted}, next`],
    ['the next setting', 'password=p,user=ada', `password=${redacted},user=ada`],
    ['JSON as a text in a text', 'sent {\\"token\\":\\"let me in\\",\\"a\\":1}', `sent {\\"token\\":${redacted},\\"a\\":1}`],
    ['a word by itself behind a colon', 'user: ada\npassword: letmein\n', `user: ada\npassword: ${redacted}\n`],
    ['a value in quotes', 'password: "let me in" for Ada', `password: ${redacted} for Ada`],
    ['a name in two words', 'the api key: 8f14e45f', `the api key: ${redacted}`],
    ['a member of a form', 'user[password]=letmein', `user[password]=${redacted}`],
    ['an XML element', '<wsse:Password Type="x">let me in</wsse:Password>', `<wsse:Password Type="x">${redacted}</wsse:Password>`],
    ['an environment variable', 'SMTP_PASS=letmein', `SMTP_PASS=${redacted}`],
    ['a header of an unknown scheme', 'Authorization: Token abcd', `Authorization: ${redacted}`],
    ['a header without a scheme', 'Authorization: abcd', `Authorization: ${redacted}`],
    ['a header in quotes', 'curl -H "Authorization: Token abcd" https://x.test', `curl -H "Authorization: ${redacted}" https://x.test`],
    ['authorization=', 'authorization=abc next', `authorization=${redacted} next`],
    ['authorization= with a scheme', 'authorization=Token abcd next', `authorization=${redacted} next`],
    ['all cookies of a header', 'Cookie: theme=dark; sid=abcd', `Cookie: ${redacted}`],
    ['basic credentials', 'Basic YWRhOmxldG1laW4= sent', `${redacted} sent`],
    ['a card and its check number', '4111 1111 1111 1111 123', redacted],
    ['a card and its date', 'card 4111111111111111 12 25 ok', `card ${redacted} ok`],
    ['a card with an amount', '4111111111111111.00', redacted],
    ['a card with a dash behind', '4111111111111111-', `${redacted}-`],
    ['a card in an address', 'https://x.test/?n=4111%201111%201111%201111', `https://x.test/?n=${redacted}`],
    ['a card of nineteen digits in JSON', '{"n":4000000000000000006}', `{"n":"${redacted}"}`],
    ['a user that is a token', 'https://t0kensekret@host/x', `https://${redacted}@host/x`],
    ['a password with @', 'https://u:p@ss@host', `https://u:${redacted}@host`],
    ['a password with /', 'postgres://u:p/ss@host/db', `postgres://u:${redacted}@host/db`],
    ['a fragment', 'https://x.test/#access_token=abc&state=1', `https://x.test/#access_token=${redacted}&state=1`],
    ['a signature', 'https://x.test/?X-Amz-Signature=abc&X-Goog-Signature=abc&sig=abc', `https://x.test/?X-Amz-Signature=${redacted}&X-Goog-Signature=${redacted}&sig=${redacted}`],
    ['a key', 'https://x.test/?key=abc&pass=abc&auth=abc&a=1', `https://x.test/?key=${redacted}&pass=${redacted}&auth=${redacted}&a=1`],
    ['an authorization code', 'https://x.test/cb?code=SplxlOBeZQQYbYS6WxSbIA&state=1', `https://x.test/cb?code=${redacted}&state=1`],
    ['an encoded name', 'https://x.test/?to%6ben=abc', `https://x.test/?to%6ben=${redacted}`],
    ['a name with brackets', 'https://x.test/?token[]=abc&token%5B%5D=abc', `https://x.test/?token[]=${redacted}&token%5B%5D=${redacted}`],
    ['an address in an address', 'https://x.test/?next=%2Fcb%3Ftoken%3Dlet%20me', `https://x.test/?next=/cb?token=${redacted}`],
    ['a hook of Discord', 'https://discord.com/api/webhooks/123/abc_TOKEN', `https://discord.com/api/webhooks/123/${redacted}`],
    ['a bot of Telegram', 'https://api.telegram.org/bot123:AB-cd/sendMessage', `https://api.telegram.org/bot123:${redacted}/sendMessage`],
    ['a hook of Teams', 'https://a.webhook.office.com/webhookb2/b@c/IncomingWebhook/d', `https://a.webhook.office.com/webhookb2/${redacted}`],
    ['an encoded link for a newcomer', '/onboarding/o%2FAb1_Ab1_ x', `/onboarding/o/${redacted} x`],
    ['a token behind other words', 'file.eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2ln x', `file.${redacted} x`],
    ['a signing secret', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD/abc= x', `${redacted} x`],
  ];

  it.each(hidden)('S2-58, T-16: hides %s and no more', (_kind, text, visible) => {
    expect(withoutSecrets(text)).toBe(visible);
    expect(withoutSecrets(visible)).toBe(visible);
    expect(holdsSecret(text)).toBe(true);
  });

  it('S2-58, T-16: hides a card that is a number', () => {
    const values = { card: 4111111111111111, big: 4111111111111111n, time: 1764541234567, share: 0.4111111111111111 };
    expect(shown(values)).toEqual({ card: redacted, big: redacted, time: 1764541234567, share: 0.4111111111111111 });
  });

  it.each([
    'Basic information here',
    'Basic TypeScript knowledge',
    'Bearer certificates',
    'cst_order_number_12345',
    'sk_test_run_of_something_long',
    'eyJustabcdefgh.md.txt',
    'version 123.456.789-10',
    'order 52998224726',
    'call +52998224725',
    '529982247250',
    'Invalid token: expected }',
    "Unexpected token: '}'",
    'Unexpected token: <EOF>',
    "Unexpected token: 'await'",
    'if (token === undefined) return; password=null',
    'Unexpected token } in JSON at position 5',
    'Invalid password: must be at least as long as the old one',
    'needs service-token:read and secret:manage',
    'https://x.test/?code=200',
    'https://x.test/?tokenize=1&keyword=x&monkey=2&author=ada&sort_key=name&token_type=Bearer',
    '//12:30@office',
    'ssh://git@github.com/x',
    'http://localhost:8080/a@b',
    'imei 356938035643809',
    'took 4111.111111111111 ms, share 0.4111111111111111',
    '00000000-0000-4000-8000-000000000001',
  ])('S2-58, T-16: leaves %s as it is', (text) => {
    expect(withoutSecrets(text)).toBe(text);
    expect(holdsSecret(text)).toBe(false);
  });

  it('S2-58, T-16: a generated secret behind a secret name never stands in the text, whatever is around it', () => {
    const secret = fc.stringMatching(/^[a-z][A-Za-z0-9!@$%*+/_.~-]{4,20}[a-z][0-9]$/);
    const name = fc.constantFrom('password', 'client_secret', 'apiKey', 'X-Api-Key', 'ACCESS_TOKEN', 'totp', '--password', 'user[passwd]', 'db.passphrase');
    const separator = fc.constantFrom('=', ' = ', '  =  ', ':', ': ', ' : ', '=>', ':=');
    const around = fc.constantFrom(['', ''], ['"', '"'], ["'", "'"], ['`', '`'], ['(', ')'], ['[', ']'], ['{', '}'], ['<', '>'], ['[', ''], ['\\"', '\\"']);
    const place = fc.constantFrom(['', ''], ['failed: ', ' for Ada'], ['{', '}'], ['a=1, ', ', b=2'], ['(', ')'], ['x\n', '\ny']);
    fc.assert(
      fc.property(secret, name, separator, around, place, (value, key, sign, [open, close], [before, after]) => {
        const visible = withoutSecrets(`${before}${key}${sign}${open}${value}${close}${after}`);
        expect(visible).not.toContain(value);
        expect(visible).toContain(redacted);
        expect(visible.startsWith(before ?? '')).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('S2-58, T-16: a generated secret in an address never stands in the text', () => {
    const secret = fc.stringMatching(/^[a-z][A-Za-z0-9_.~-]{8,30}[a-z][0-9]$/);
    const form = fc.constantFrom(
      ...['https://SECRET@x.test/a', 'https://u:SECRET@x.test', 'https://u:a@SECRET@x.test/', 'https://x.test/#id_token=SECRET'],
      ...['https://x.test/a?b=1&TOKEN=SECRET', 'https://x.test/?api%5Fkey=SECRET&c=d', '/a?auth=SECRET', 'https://x.test/?u=%2Fb%3Fsig%3DSECRET'],
      ...['https://hooks.slack.com/services/T0/B0/SECRET', 'https://discord.com/api/v10/webhooks/1/SECRET', 'https://api.telegram.org/bot1:SECRET/x'],
    );
    fc.assert(
      fc.property(secret, form, fc.constantFrom(' ', '"', ', ', ') '), (value, address, after) => {
        const text = `see ${address.replace('SECRET', value)}${after}then`;
        expect(withoutSecrets(text)).not.toContain(value);
        expect(withoutSecrets(text)).toMatch(/^see .*then$/);
      }),
      { numRuns: 1_000 },
    );
  });

  const digit = fc.integer({ min: 0, max: 9 });
  /** Digits behind the first ones of an issuer, with the check digit of Luhn's formula. */
  const cardOf = (start: string, length: number) =>
    fc.array(digit, { minLength: length - start.length - 1, maxLength: length - start.length - 1 }).map((rest) => {
      const body = [...start].map(Number).concat(rest);
      const sum = body.toReversed().reduce((total, one, place) => total + (place % 2 === 1 ? one : one < 5 ? one * 2 : one * 2 - 9), 0);
      return [...body, (10 - (sum % 10)) % 10].join('');
    });

  it('S2-58, T-16: hides the cards of every issuer, however they are grouped', () => {
    const card = fc
      .constantFrom<[string, number]>(['4', 13], ['4', 16], ['4', 19], ['51', 16], ['2221', 16], ['2720', 16], ['37', 15], ['36', 14], ['6011', 16], ['35', 16], ['62', 19], ['60', 16], ['82', 16])
      .chain(([start, length]) => cardOf(start, length));
    const separator = fc.constantFrom('', ' ', '-', '.', '\u00a0', '\u202f', '\u2009', '\u2011', '\u200b', '_', '  ');
    const behind = fc.constantFrom('', ' 123', ' 12/25', ' 12 25 123', '.00', '-');
    fc.assert(
      fc.property(card, separator, behind, (number, sign, rest) => {
        const written = number.replace(/(\d{4})(?=\d)/g, `$1${sign}`);
        const visible = withoutSecrets(`card ${written}${rest}, paid`);
        expect(visible).toBe(`card ${redacted}${rest === '-' ? '-' : ''}, paid`);
      }),
    );
  });

  it('S2-58, T-16: shows numbers that no issuer gives out, and those with a wrong check digit', () => {
    const other = fc.constantFrom('1', '7', '9', '80', '2721', '34').chain((start) => cardOf(start, start === '34' ? 16 : 15));
    const wrong = cardOf('4', 16).map((number) => `${number.slice(0, -1)}${(Number(number.at(-1)) + 1) % 10}`);
    fc.assert(fc.property(fc.oneof(other, wrong), (number) => expect(withoutSecrets(`no. ${number}, paid`)).toBe(`no. ${number}, paid`)));
  });
});
