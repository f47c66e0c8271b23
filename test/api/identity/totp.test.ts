import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { samplePassword } from '../../../src/dev/sample-data.ts';
import { payloadDigest } from '../../../src/platform/security/digest.ts';
import type { Answer, SignedIn } from '../../support/api.ts';
import type { ClockedApis } from '../../support/clocked-apis.ts';
import { startClockedApis } from '../../support/clocked-apis.ts';

let apis: ClockedApis;

beforeAll(async () => {
  apis = await startClockedApis();
});

afterAll(() => apis.close());

beforeEach(async () => {
  apis.nextStep();
  await apis.admin.query('truncate rate_limit_counters');
});

const digest = 'a'.repeat(64);
const password = samplePassword;

const post = (person: SignedIn, path: string, body: unknown): Promise<Answer> =>
  apis.call('POST', path, { token: person.token, body });
const status = async (person: SignedIn) => (await apis.call('GET', '/auth/totp', { token: person.token })).body;

/** Asks for an app, with the code that is mailed to the address of the account. */
async function setUp(person: SignedIn, path = '/auth/totp/setup'): Promise<Answer> {
  const asked = await post(person, path, { password });
  expect(asked).toMatchObject({ status: 403, body: { code: 'mfa.required', action: 'setUpTotp' } });
  const { action, payload_digest } = asked.body;
  const challenge = await post(person, '/admin/mfa/request', { action, payload_digest });
  expect(challenge.body.method).toBe('email');
  const mailed = 'select m.body from development_mails m join users u on u.email = m.recipient where u.id = $1 order by m.id desc limit 1';
  const { rows } = await apis.admin.query<{ body: string }>(mailed, [person.user_id]);
  const code = /\b\d{6}\b/.exec(rows[0]?.body ?? '')?.[0];
  const proven = await post(person, '/admin/mfa/verify', { challenge_id: challenge.body.challenge_id, code });
  return apis.call('POST', path, { token: person.token, body: { password }, headers: { 'x-mfa-token': proven.body.mfa_token } });
}

/** Enrols from scratch; the person's secret from now on is the new one. */
async function enrol(person: SignedIn): Promise<{ enrolled: SignedIn; recoveryCodes: string[] }> {
  const setup = await setUp(person);
  expect(setup.status).toBe(201);
  const enrolled = { ...person, totp_secret: setup.body.secret };
  const confirmed = await post(person, '/auth/totp/verify', { code: apis.code(enrolled) });
  expect(confirmed.status).toBe(200);
  return { enrolled, recoveryCodes: confirmed.body.recovery_codes };
}

async function stepUp(person: SignedIn, code: string, call = apis.call): Promise<Answer> {
  const asked = await post(person, '/admin/mfa/request', { action: 'flag.toggle', payload_digest: digest });
  return call('POST', '/admin/mfa/verify', {
    token: person.token,
    body: { challenge_id: asked.body.challenge_id, code },
  });
}

describe('an authenticator app (S4-1, S4-27)', () => {
  it('R3, T-40: is set up by nobody who knows the password alone, as whoever has made the account may', async () => {
    const person = await apis.signIn('role-senior-agent', 0);
    await apis.withoutApp(person);
    const asked = await post(person, '/auth/totp/setup', { password });
    // What is to be proven names no password: a digest of it would be stored.
    const payload_digest = payloadDigest({ operation: 'setUpTotp', params: {}, body: {} });
    expect(asked).toMatchObject({ status: 403, body: { code: 'mfa.required', payload_digest } });
    expect((await post(person, '/auth/totp/setup', { password: 'wrong' })).body.code).toBe('auth.password-refused');
    expect((await post(person, '/auth/totp/verify', { code: '123456' })).body.code).toBe('mfa.not-enrolled');

    // Of an account without an address there is no such code.
    await apis.admin.query("update users set email = null, phone_number = coalesce(phone_number, '+4915100000001') where id = $1", [person.user_id]);
    expect((await post(person, '/auth/totp/setup', { password })).status).toBe(201);
    await apis.admin.query("update users set email = 'senior@agentmitra.com' where id = $1", [person.user_id]);
    await apis.withoutApp(person);
  });

  it('is set up with the password, is in use after its first code, and its secret is nowhere in plain text', async () => {
    const person = await apis.signIn('role-senior-agent');
    await apis.withoutApp(person);
    expect(await status(person)).toEqual({ is_enrolled: false, confirmed_at: null, recovery_codes_left: 0 });
    expect((await post(person, '/auth/totp/verify', { code: '123456' })).body).toMatchObject({
      code: 'mfa.not-enrolled',
    });

    for (const body of [{}, { password: 'wrong' }]) {
      expect((await post(person, '/auth/totp/setup', body)).body).toMatchObject({
        status: 403,
        code: 'auth.password-refused',
      });
    }
    const first = await setUp(person);
    const second = await setUp(person, '/api/v1/auth/totp/setup');
    expect(second.status).toBe(201);
    expect(second.body.otpauth_uri).toContain(second.body.secret);
    expect(await status(person)).toMatchObject({ is_enrolled: false });

    const withFirst = { ...person, totp_secret: first.body.secret };
    const withSecond = { ...person, totp_secret: second.body.secret };
    expect((await post(person, '/auth/totp/verify', { code: apis.code(withFirst) })).body).toMatchObject({
      reason: 'wrong',
    });
    const confirmed = await post(person, '/auth/totp/verify', { code: apis.code(withSecond) });
    expect(new Set(confirmed.body.recovery_codes).size).toBe(10);
    expect(await status(person)).toMatchObject({ is_enrolled: true, recovery_codes_left: 10 });
    expect((await post(person, '/auth/totp/setup', { password })).body).toMatchObject({
      status: 409,
      code: 'mfa.already-enrolled',
    });

    // The code that confirmed the app is consumed like any other.
    expect((await stepUp(withSecond, apis.code(withSecond))).body).toMatchObject({ reason: 'used' });
    apis.nextStep();
    expect((await stepUp(withSecond, apis.code(withSecond))).status).toBe(200);

    const { rows: factors } = await apis.admin.query('select * from mfa_factors');
    const { rows: codes } = await apis.admin.query('select * from mfa_recovery_codes');
    const { rows: audit } = await apis.admin.query('select * from audit_logs');
    const stored = JSON.stringify([factors, codes, audit]);
    for (const secret of [second.body.secret, ...confirmed.body.recovery_codes]) expect(stored).not.toContain(secret);
    expect(factors.find(({ user_id }) => user_id === person.user_id).secret_ciphertext).toMatch(/^v1\.k1\./);
  });

  it('can be replaced by each recovery code once, however many uses are parallel', async () => {
    const person = await apis.signIn('role-regional-manager');
    await apis.withoutApp(person);
    const { recoveryCodes } = await enrol(person);
    for (const code of recoveryCodes.slice(0, 3)) {
      await apis.admin.query('truncate rate_limit_counters');
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, index) => stepUp(person, code, index % 2 === 0 ? apis.call : apis.callOther)),
      );
      expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
      expect(answers.filter((answer) => answer.status >= 500)).toEqual([]);
    }
    await apis.admin.query('truncate rate_limit_counters');
    expect((await stepUp(person, recoveryCodes[3]?.toLowerCase().replaceAll('-', '') ?? '')).status).toBe(200);
    expect((await stepUp(person, recoveryCodes[0] ?? '')).body).toMatchObject({ reason: 'used' });
    expect((await stepUp(person, '0000-0000-0000-0000')).body).toMatchObject({ reason: 'wrong' });
    expect(await status(person)).toMatchObject({ recovery_codes_left: 6 });
  });

  it('gives new recovery codes for password and code, and voids the old ones', async () => {
    const person = await apis.signIn('role-support-staff');
    await apis.withoutApp(person);
    const { enrolled, recoveryCodes } = await enrol(person);
    apis.nextStep();
    const code = apis.code(enrolled);
    expect((await post(person, '/auth/totp/recovery-codes', { password: 'wrong', code })).status).toBe(403);
    const renewed = await post(person, '/auth/totp/recovery-codes', { password, code });
    expect(renewed.body.recovery_codes).toHaveLength(10);
    expect((await stepUp(person, recoveryCodes[0] ?? '')).body).toMatchObject({ reason: 'wrong' });
    expect((await stepUp(person, renewed.body.recovery_codes[0])).status).toBe(200);
  });

  it('is taken out of use, with its recovery codes, by password and code together', async () => {
    const person = await apis.signIn('role-provider-admin');
    await apis.withoutApp(person);
    const { enrolled, recoveryCodes } = await enrol(person);
    apis.nextStep();
    const code = apis.code(enrolled);
    const wrong = code === '000000' ? '111111' : '000000';
    for (const body of [{ code }, { password: 'wrong', code }, { password, code: wrong }]) {
      expect((await post(person, '/auth/totp/disable', body)).status).toBe(403);
    }
    expect(await status(person)).toMatchObject({ is_enrolled: true });
    expect((await post(person, '/auth/totp/disable', { password })).status).toBe(422);
    expect((await post(person, '/auth/totp/disable', { password, code })).status).toBe(204);
    expect(await status(person)).toEqual({ is_enrolled: false, confirmed_at: null, recovery_codes_left: 0 });
    expect((await stepUp(person, recoveryCodes[0] ?? '')).status).toBe(403);
  });

  it('limits guesses of the password that is asked for again', async () => {
    const limited = await startClockedApis({ SIGN_IN_LIMIT_PER_ACCOUNT: '3' });
    try {
      const person = await limited.signIn('role-super-admin');
      const attempts: number[] = [];
      for (let count = 0; count < 4; count += 1) {
        const answer = await limited.call('POST', '/auth/totp/disable', {
          token: person.token,
          body: { password: 'wrong', code: limited.code(person) },
        });
        attempts.push(answer.status);
      }
      expect(attempts).toEqual([403, 403, 403, 429]);
    } finally {
      await limited.close();
    }
  });

  it('belongs to a signed-in person: the endpoints are refused to others', async () => {
    for (const path of ['setup', 'verify', 'disable', 'recovery-codes']) {
      expect((await apis.call('POST', `/auth/totp/${path}`, { body: {} })).status).toBe(401);
    }
    expect((await apis.call('GET', '/auth/totp')).status).toBe(401);
  });
});
