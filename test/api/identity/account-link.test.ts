import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { callApi } from '../../support/api.ts';
import type { Answer } from '../../support/api.ts';
import { testPassword } from '../../support/people.ts';
import { earlierCode, presentCode, signIn, startInstallation, strayToken, useLink } from '../../support/operator.ts';
import type { Installation } from '../../support/operator.ts';
import { openPage } from '../../support/page-script.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { quietTemporal } from '../../support/temporal/temporal.ts';

let at: Installation;

beforeAll(async () => {
  await quietTemporal();
  at = await startInstallation();
});

afterAll(async () => {
  await at.close();
});

/** A link of a tenant of its own, so that tests do not meet. */
async function newLink(tenant: string): Promise<string> {
  const { tokens, stderr } = await at.adminCreate(['--tenant', tenant, '--email', `boss@${tenant}.example`]);
  if (tokens[0] === undefined) throw new Error(stderr);
  return tokens[0];
}

const open = (token: string | undefined) => at.call('POST', '/auth/account-links/open', { token });
const complete = (token: string, password: string, code: string) =>
  at.call('POST', '/auth/account-links/complete', { token, password, code });
const codeOf = ({ status, body }: Answer) => ({ status, code: body.code });
const dead = { status: 410, code: 'account.link-dead' };

/** An answer without what differs by request. */
function withoutInstance({ status, body: { instance: _instance, ...body } }: Answer) {
  return { status, body };
}

describe('T-36: the page of a link', () => {
  it('is served without the token, with a policy that lets in nothing but its own script and style', async () => {
    const page = await at.call('GET', '/account-link');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    expect(page.headers.get('cache-control')).toBe('no-store');
    // Nothing inline, which the policy would block: neither scripts nor styles nor handlers.
    expect(page.body).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
    for (const [, path] of String(page.body).matchAll(/<(?:script|link)[^>]*(?:src|href)="([^"]+)"/g)) {
      expect((await at.call('GET', path!)).status).toBe(200);
    }
  });

  it('has a label for each field that is filled in, and a place for its error', async () => {
    const html = String((await at.call('GET', '/account-link')).body);
    const fields = [...html.matchAll(/<input id="(\w+)"(?![^>]*\shidden)/g)].map(([, id]) => id!);
    expect(fields).toEqual(['password', 'repetition', 'code']);
    for (const id of fields) {
      expect(html).toContain(`<label for="${id}">`);
      expect(html).toContain(`id="${id}-error"`);
    }
  });
});

describe('T-36: the script of the page', () => {
  const openLinkPage = async (token: string) => {
    const html = String((await at.call('GET', '/account-link')).body);
    const script = 'src/api/http/account-link-page/page.js';
    return openPage(at.api.url, { html, script, path: '/account-link', hash: `#${token}` });
  };

  it('takes a person from the link to the recovery codes, with every fault told at its field', async () => {
    const page = await openLinkPage(await newLink('page'));
    expect(page.element('form').hidden).toBe(false);
    expect(page.element('who').textContent).toBe('boss, boss@page.example');
    const secret = page.element('secret').textContent.replaceAll(' ', '');
    expect(page.element('otpauth').href).toContain(secret);

    const fill = async (fields: Record<'password' | 'repetition' | 'code', string>) => {
      for (const [id, value] of Object.entries(fields)) page.element(id).value = value;
      await page.submit('form');
      return page.focused();
    };
    const [password, code] = [testPassword(), await earlierCode(secret)];
    expect(await fill({ password: '', repetition: '', code })).toBe('password');
    expect(await fill({ password, repetition: `${password}!`, code })).toBe('repetition');
    expect(await fill({ password: 'short', repetition: 'short', code })).toBe('password');
    expect(page.element('password-error').textContent).toContain('too short');
    expect(page.element('password').attributes.get('aria-invalid')).toBe('true');
    expect(await fill({ password, repetition: password, code: '' })).toBe('code');
    expect(page.element('password').attributes.get('aria-invalid')).toBe('false');

    expect(await fill({ password, repetition: password, code: `${code.slice(0, 3)} ${code.slice(3)}` })).toBe('heading');
    expect(page.element('form').isRemoved).toBe(true);
    expect(page.element('done').hidden).toBe(false);
    expect(page.element('codes').children).toHaveLength(10);
    expect(page.address()).toBe('/account-link');
    expect((await signIn(at, { email: 'boss@page.example', password, secret })).status).toBe(200);
  });

  it('tells of a dead link and offers no form', async () => {
    const page = await openLinkPage(strayToken());
    expect(page.element('alert').textContent).toContain('expired');
    expect([page.focused(), page.element('form').hidden]).toEqual(['alert', true]);
  });
});

describe('T-36: opening and using a link', () => {
  it('shows whose account it is, and a new secret each time; only the last one counts', async () => {
    const token = await newLink('opening');
    const [first, second] = [await open(token), await open(token)];
    expect(first.body).toMatchObject({
      purpose: 'first_administrator',
      email: 'boss@opening.example',
      tenant: { name: 'opening', domain: 'opening' },
      totp: { otpauth_uri: expect.stringContaining('otpauth://totp/Castellan:boss') },
    });
    expect(second.body.totp.secret).not.toBe(first.body.totp.secret);
    expect(codeOf(await complete(token, testPassword(), await earlierCode(first.body.totp.secret)))).toMatchObject({ status: 403 });
    expect((await complete(token, testPassword(), await earlierCode(second.body.totp.secret))).status).toBe(200);
  });

  it('refuses a weak password and a wrong code, and can be tried again', async () => {
    const token = await newLink('weak');
    expect(codeOf(await complete(token, testPassword(), '000000'))).toEqual({ status: 409, code: 'mfa.not-enrolled' });
    const { secret } = (await open(token)).body.totp;
    const code = await earlierCode(secret);
    for (const [password, fault] of [['short', 'too-short'], ['password1234', 'too-common'], ['boss@weak.example!', 'contains-identity']] as const) {
      const answer = await complete(token, password, code);
      expect(codeOf(answer)).toEqual({ status: 422, code: 'request.invalid' });
      expect(answer.body.errors).toContainEqual({ pointer: '/password', detail: expect.stringMatching(/^must /), code: fault });
    }
    const wrong = code === '000000' ? '000001' : '000000';
    expect(codeOf(await complete(token, testPassword(), wrong))).toEqual({ status: 403, code: 'mfa.code-refused' });
    expect((await complete(token, testPassword(), '12345')).status).toBe(422);
    expect((await complete(token, testPassword(), code)).status).toBe(200);
  });

  it('works once: of 16 uses at once one, which gets ten recovery codes; then it is dead', async () => {
    const token = await newLink('once');
    const { secret } = (await open(token)).body.totp;
    const code = await earlierCode(secret);
    const passwords = Array.from({ length: 16 }, testPassword);
    const answers = await Promise.all(passwords.map((password) => complete(token, password, code)));
    const won = answers.findIndex(({ status }) => status === 200);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 15 }, () => 410)]);
    expect(new Set(answers[won]?.body.recovery_codes).size).toBe(10);
    expect(codeOf(await open(token))).toEqual(dead);

    const person = { email: 'boss@once.example', secret };
    const refused = await signIn(at, { ...person, password: passwords[(won + 1) % 16]! });
    expect(refused.status).toBe(401);
    expect((await signIn(at, { ...person, password: passwords[won]! })).status).toBe(200);
    const { email } = person;
    const bare = await at.call('POST', '/auth/login', { email, password: passwords[won] });
    expect(bare.status).toBe(401);
    const [recovery_code] = answers[won]?.body.recovery_codes ?? [];
    expect((await at.call('POST', '/auth/login', { email, password: passwords[won], code: recovery_code })).status).toBe(200);
  });

  it('is answered alike when it is malformed, unknown, used, replaced, expired, or its account is gone', async () => {
    const [used, expired, replaced, gone] = [await newLink('used'), await newLink('expired'), await newLink('replaced'), await newLink('gone')];
    await useLink(at, used);
    await asSuperuser(at, "update account_links set expires_at = now() where user_id = (select id from users where email = 'boss@expired.example')");
    await newLink('replaced');
    const { secret } = (await open(gone)).body.totp;
    await asSuperuser(at, "update users set status = 'deleted' where email = 'boss@gone.example'");
    const reference = withoutInstance(await open(strayToken()));
    expect(reference.status).toBe(410);
    for (const token of [used, expired, replaced, gone, 'short', '', 'x'.repeat(200)]) {
      expect(withoutInstance(await open(token))).toEqual(reference);
      expect(withoutInstance(await complete(token, testPassword(), token === gone ? await earlierCode(secret) : '000000'))).toEqual(reference);
    }
  });

  it('expires between opening and using', async () => {
    const token = await newLink('late');
    const { secret } = (await open(token)).body.totp;
    await asSuperuser(at, "update account_links set expires_at = now() where user_id = (select id from users where email = 'boss@late.example')");
    expect(codeOf(await complete(token, testPassword(), presentCode(secret)))).toEqual(dead);
    expect((await signIn(at, { email: 'boss@late.example', password: testPassword(), secret })).status).toBe(401);
  });

  it('is limited by the address of the caller, whatever the token', async () => {
    const attempt = () =>
      callApi(at.api.url, 'POST', '/auth/account-links/open', { body: { token: strayToken() }, headers: { 'x-forwarded-for': '192.0.2.7' } });
    const statuses = (await Promise.all(Array.from({ length: 70 }, attempt))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 410)).toHaveLength(60);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);
  });
});
