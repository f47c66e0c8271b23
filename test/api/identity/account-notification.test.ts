import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { samplePassword } from '../../../src/dev/sample-data.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { freshTotpCode } from '../../support/totp.ts';
import { quietTemporal } from '../../support/temporal/temporal.ts';
import { testPassword } from '../../support/people.ts';

let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;

beforeAll(async () => {
  await quietTemporal();
  app = await startTestApi();
  worker = await startWorker(app.env, app.api.deps.log);
  admin = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

interface Mail {
  subject: string;
  body: string;
  [column: string]: unknown;
}

const mailsTo = (address: string) =>
  asSuperuser<Mail>(app, 'select subject, body from development_mails where recipient = $1 order by id', [address]);

const mailed = async (address: string, subject: RegExp): Promise<Mail> => {
  const mails = await eventually(
    () => mailsTo(address),
    (all) => all.some((mail) => subject.test(mail.subject)),
  );
  return mails.find((mail) => subject.test(mail.subject)) ?? { subject: '', body: '' };
};

describe('S4-27: the owner is notified when the way to sign in to the account changes', () => {
  it('when factor, recovery codes or password change, although the person has switched e-mail off', async () => {
    const person = await app.signIn('role-junior-agent');
    const { email, token } = person;
    const send = (method: string, path: string, body: unknown): Promise<Answer> => app.call(method, path, { token, body });
    expect((await send('PUT', '/users/me/preferences', { email_notifications: false })).status).toBe(200);
    const password = samplePassword;

    const code = await freshTotpCode(person);
    const renewed = await send('POST', '/auth/totp/recovery-codes', { password, code });
    const news = await mailed(email, /new recovery codes/);
    expect(news.body).toContain('127.0.0.1');

    const [firstCode] = renewed.body.recovery_codes;
    expect((await send('PUT', '/users/me/sign-in-factor', { sign_in_requires_totp: true, password })).status).toBe(200);
    await mailed(email, /now asks for a code/);
    expect((await send('POST', '/auth/totp/disable', { password, code: firstCode })).status).toBe(204);
    await mailed(email, /switched off/);
    const { secret } = (await callProven(app, person, 'POST', '/auth/totp/setup', { body: { password } })).body;
    const first = await freshTotpCode({ user_id: `${person.user_id}/new`, totp_secret: secret });
    expect((await send('POST', '/auth/totp/verify', { code: first })).status).toBe(200);
    await mailed(email, /was set up/);
    const new_password = testPassword();
    expect((await send('PUT', '/users/me/password', { current_password: password, new_password })).status).toBe(204);
    await mailed(email, /password of your account was changed/);

    const everything = JSON.stringify(await mailsTo(email));
    for (const told of [firstCode, secret, new_password, code]) expect(everything).not.toContain(told);
    expect(await mailsTo(email)).toHaveLength(5);
  });

  it('but not when a change was refused', async () => {
    const person = await app.signIn('role-senior-agent');
    const refused = await app.call('POST', '/auth/totp/disable', {
      token: person.token,
      body: { password: 'wrong', code: '000000' },
    });
    expect(refused.status).toBe(403);
    expect(await mailsTo(person.email)).toEqual([]);
  });
});

describe('connected applications are notified that sessions have ended', () => {
  const channel = 'siem@apps.example';

  beforeAll(async () => {
    const created = await callProven(app, admin, 'POST', '/admin/notifications/channels', {
      body: { kind: 'email', name: 'Applications', email: channel, events: ['session.revoked'] },
    });
    expect(created.status).toBe(201);
  });

  const toldOf = (userId: string, reason: string) =>
    eventually(
      () => mailsTo(channel),
      (mails) => mails.some(({ body }) => body.includes(userId) && body.includes(reason)),
    );

  it('by force logout and by deactivation, even if no token was valid any more', async () => {
    const person = await app.signIn('role-policyholder');
    await asSuperuser(app, 'update sessions set expires_at = now() where user_id = $1', [person.user_id]);
    const path = `/admin/users/${person.user_id}`;
    expect((await callProven(app, admin, 'POST', `${path}/force-logout`)).status).toBe(200);
    await toldOf(person.user_id, 'forced');
    const etag = (await app.call('GET', path, { token: admin.token })).headers.get('etag') ?? '';
    const closed = await callProven(app, admin, 'PUT', path, {
      headers: { 'if-match': etag },
      body: { status: 'inactive' },
    });
    expect(closed.status).toBe(200);
    await toldOf(person.user_id, 'deactivated');
  });
});
