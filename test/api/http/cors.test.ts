import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';

let app: TestApi;
let admin: SignedIn;
const origin = 'https://admin.castellan.test';

beforeAll(async () => {
  app = await startTestApi({ CORS_ORIGINS: origin, PUBLIC_URL: 'https://castellan.test' });
  admin = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await app.close();
});

/** A request with a Host header of one's choice, which fetch does not allow. */
function withHost(path: string, headers: Record<string, string>): Promise<{ status: number; head: string; body: string }> {
  return new Promise((resolve, reject) => {
    request(new URL(path, app.url), { headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, head: JSON.stringify(response.headers), body }));
    })
      .on('error', reject)
      .end();
  });
}

describe('origins', () => {
  it('lets the configured origin read, and no other', async () => {
    const ours = await app.call('GET', '/users/me', { token: admin.token, headers: { origin } });
    expect(ours.headers.get('access-control-allow-origin')).toBe(origin);
    expect(ours.headers.get('vary')).toMatch(/origin/i);
    for (const other of ['https://evil.test', 'https://admin.castellan.test.evil.test', 'null', 'http://admin.castellan.test']) {
      const answer = await app.call('GET', '/users/me', { token: admin.token, headers: { origin: other } });
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('answers a preflight with the methods and headers that are used, without credentials', async () => {
    const answer = await app.call('OPTIONS', '/users/me/preferences', {
      headers: { origin, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'if-match' },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-methods')).toContain('PUT');
    expect(answer.headers.get('access-control-allow-headers')).toContain('if-match');
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
  });
});

describe('headers of every answer', () => {
  it.each(['/users/me', '/nowhere', '/health', '/docs'])('%s keeps browsers from guessing, framing and storing', async (path) => {
    const { headers } = await app.call('GET', path);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(headers.get('content-security-policy')).toMatch(/default-src 'self'/);
    expect(headers.get('content-security-policy')).not.toMatch(/script-src[^;]*unsafe/);
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('server')).toBeNull();
  });
});

describe('CVE-2026-27959: the Host header is the caller’s word', () => {
  it.each(['/users/me', '/health/ready', '/openapi.json', '/docs', '/.well-known/jwks.json', '/auth/oidc/none/start'])(
    '%s does not repeat it',
    async (path) => {
      const evil = { host: 'evil.test', 'x-forwarded-host': 'evil.test', forwarded: 'host=evil.test' };
      const answer = await withHost(path, { ...evil, authorization: `Bearer ${admin.token}` });
      expect(answer.head + answer.body).not.toContain('evil.test');
    },
  );

  it('builds what it links to from PUBLIC_URL', async () => {
    const answer = await withHost('/openapi.json', { host: 'evil.test' });
    expect(answer.body).toContain('https://castellan.test');
  });
});
