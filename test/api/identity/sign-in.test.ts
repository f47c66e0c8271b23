import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { samplePassword } from '../../../src/dev/sample-data.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { freshTotpCode } from '../../support/totp.ts';

let app: TestApi;

beforeAll(async () => {
  app = await startTestApi();
});

afterAll(async () => {
  await app.close();
});

function median(values: number[]): number {
  return values.toSorted((one, two) => one - two)[Math.floor(values.length / 2)] ?? 0;
}

describe('sign-in', () => {
  it('S1-62: takes as long for an unknown account as for a wrong password', async () => {
    const time = async (email: string) => {
      const started = performance.now();
      await app.call('POST', '/auth/login', { body: { email, password: 'wrong-password' } });
      return performance.now() - started;
    };
    const [known, unknown]: [number[], number[]] = [[], []];
    for (let round = 0; round < 15; round += 1) {
      known.push(await time('senior@agentmitra.com'));
      unknown.push(await time(`nobody-${round}@agentmitra.com`));
    }
    // One argon2id hash costs 16 ms and more: an answer without it would come in a fraction of the time.
    expect(median(unknown)).toBeGreaterThan(median(known) * 0.5);
    expect(median(unknown)).toBeLessThan(median(known) * 2);
  });

  it('S1-62: locks an account after too many wrong passwords on every process, and the answer does not tell which', async () => {
    const strict = await app.another({ SIGN_IN_LIMIT_PER_ACCOUNT: 3 });
    const other = await app.another({ SIGN_IN_LIMIT_PER_ACCOUNT: 3 });
    const attempt = (url: string, email: string, password: string) =>
      callApi(url, 'POST', '/auth/login', { body: { email, password } });
    for (const email of ['junior@agentmitra.com', 'nobody@agentmitra.com']) {
      for (const url of [strict.url, other.url, strict.url]) expect((await attempt(url, email, 'nope')).status).toBe(401);
      const locked = await attempt(other.url, email, samplePassword);
      expect(locked).toMatchObject({ status: 429, body: { code: 'request.rate-limited' } });
      expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await attempt(strict.url, 'support@agentmitra.com', samplePassword)).status).toBe(200);
  });

  it('S1-62: counts attempts of one address over all accounts', async () => {
    const strict = await app.another({ SIGN_IN_LIMIT_PER_ADDRESS: 3, TRUSTED_PROXIES: 1 });
    const attempt = (address: string, round: number) =>
      callApi(strict.url, 'POST', '/auth/login', {
        body: { email: `sprayed-${round}@agentmitra.com`, password: 'nope' },
        headers: { 'x-forwarded-for': address },
      });
    for (let round = 0; round < 3; round += 1) expect((await attempt('198.51.100.7', round)).status).toBe(401);
    expect((await attempt('198.51.100.7', 4)).status).toBe(429);
    expect((await attempt('198.51.100.8', 5)).status).toBe(401);
  });

  it('X-5, S4-27: asks for a code where the person wants it; switching it needs the password', async () => {
    const person = await app.signIn('role-regional-manager');
    const path = '/users/me/sign-in-factor';
    const put = (body: Record<string, unknown>) => app.call('PUT', path, { token: person.token, body });
    expect((await app.call('PUT', path, { body: { sign_in_requires_totp: true } })).status).toBe(401);
    expect(await put({ sign_in_requires_totp: true })).toMatchObject({ status: 403, body: { code: 'auth.password-refused' } });
    expect((await put({ sign_in_requires_totp: true, password: 'wrong' })).status).toBe(403);
    expect(await put({ sign_in_requires_totp: true, password: samplePassword })).toMatchObject({
      status: 200,
      body: { sign_in_requires_totp: true, has_authenticator_app: true },
    });
    const { email } = person;
    const login = (code?: string) => app.call('POST', '/auth/login', { body: { email, password: samplePassword, code } });
    const without = await login();
    expect(without).toMatchObject({ status: 401, body: { code: 'auth.invalid-credentials' } });
    const code = await freshTotpCode(person);
    const wrong = code === '000000' ? '000001' : '000000';
    expect((await login(wrong)).body.detail).toBe(without.body.detail);
    expect((await login(code)).status).toBe(200);
    expect((await login(code)).status).toBe(401);
    expect((await put({ sign_in_requires_totp: false, password: samplePassword })).status).toBe(200);
    expect((await login()).status).toBe(200);
  });
});
