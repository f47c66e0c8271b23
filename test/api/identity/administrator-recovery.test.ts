import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { callApi } from '../../support/api.ts';
import type { CallOptions, TestApi } from '../../support/api.ts';
import { dumpTables, dumpWorkflows } from '../../support/dumps.ts';
import { eventually } from '../../support/eventually.ts';
import { presentCode, signIn, startInstallation, useLink } from '../../support/operator.ts';
import type { Installation } from '../../support/operator.ts';
import { createUser } from '../../support/factories/identity.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { quietTemporal } from '../../support/temporal/temporal.ts';

/** Somebody who is signed in, and what they sign in with. */
interface Person {
  readonly email: string;
  readonly password: string;
  readonly secret: string;
  readonly recovery_codes: string[];
  readonly token: string;
}

let at: Installation;
let ana: Person;
let bo: Person;
/** Every secret that was given out, by kind. */
const secrets = new Map<string, string>();

/** Uses a link, signs in and keeps every secret in mind. */
async function comeIn(link: string | undefined): Promise<Person> {
  const { answer, ...person } = await useLink(at, link);
  expect(answer.status).toBe(200);
  const signedIn = await signIn(at, person);
  expect(signedIn.status).toBe(200);
  const { recovery_codes } = answer.body;
  secrets.set(`link of ${person.email} ${secrets.size}`, link!);
  secrets.set(`password of ${person.email} ${secrets.size}`, person.password);
  secrets.set(`key of ${person.email} ${secrets.size}`, person.secret);
  for (const code of recovery_codes) secrets.set(`recovery code of ${person.email} ${secrets.size}`, code);
  return { ...person, recovery_codes, token: signedIn.body.access_token };
}

const statusOf = async (token: string) => (await at.call('GET', '/users/me', undefined, token)).status;
const mailsTo = (email: string, subject: RegExp) =>
  at.mails.filter((mail) => mail.includes(`\nTo: ${email}\n`) && subject.test(/^Subject: (.*(?:\n .*)*)/m.exec(mail)?.[1]?.replace(/\n /g, ' ') ?? ''));
const told = (email: string, subject: RegExp, count = 1) =>
  eventually(
    async () => mailsTo(email, subject),
    (mails) => mails.length >= count,
  );
const issued = /issued a link to recover/;
const recovered = /used to recover/;

beforeAll(async () => {
  await quietTemporal();
  at = await startInstallation();
  const { tokens } = await at.adminCreate(['--email', 'ana@castellan.example', '--email', 'bo@castellan.example']);
  ana = await comeIn(tokens[0]);
  bo = await comeIn(tokens[1]);
  // A mail that can be switched off would be switched off first.
  const muted = await at.call('PUT', '/users/me/preferences', { email_notifications: false }, bo.token);
  expect(muted.status).toBe(200);
});

afterAll(async () => {
  await at.close();
});

describe('T-36: npm run admin:create -- --recover', () => {
  it('changes nothing of an existing account before the link is used, and tells all administrators and the person', async () => {
    const run = await at.adminCreate(['--recover', '--email', 'Ana@castellan.example']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain('an existing account');
    for (const { email } of [ana, bo]) await told(email, issued);
    expect(await statusOf(ana.token)).toBe(200);
    secrets.set('first recovery link', run.tokens[0]!);
  });

  it('a further run kills the link of the one before; of two at once one wins', async () => {
    const runs = await Promise.all([1, 2].map(() => at.adminCreate(['--recover', '--email', ana.email])));
    expect(runs.map(({ code }) => code).sort()).toEqual([0, 1]);
    expect(runs.find(({ code }) => code === 1)?.stderr).toContain('Another run');
    const opened = await at.call('POST', '/auth/account-links/open', { token: secrets.get('first recovery link') });
    expect(opened.status).toBe(410);
  });

  it('by the link come a new password and a new factor; the old ones, recovery codes and sessions have ended', async () => {
    const { tokens } = await at.adminCreate(['--recover', '--email', ana.email]);
    const before = ana;
    ana = await comeIn(tokens[0]);
    expect(await statusOf(before.token)).toBe(401);
    const { email } = ana;
    const attempts = [
      { password: before.password, code: presentCode(ana.secret) },
      { password: ana.password, code: presentCode(before.secret) },
      { password: ana.password, code: before.recovery_codes[0] },
    ];
    for (const attempt of attempts) {
      expect((await at.call('POST', '/auth/login', { email, ...attempt })).status).toBe(401);
    }
    const factors = await asSuperuser(at, 'select f.id from mfa_factors f join users u on u.id = f.user_id where u.email = $1', [email]);
    expect(factors).toHaveLength(1);
    for (const person of [ana, bo]) await told(person.email, recovered);
  });

  it('makes somebody administrator who was unknown before, and not before the link is used', async () => {
    const run = await at.adminCreate(['--recover', '--email', 'cleo@castellan.example', '--name', 'Cleo Park']);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('a new account');
    const [account] = await asSuperuser(at, "select status, role from users where email = 'cleo@castellan.example'");
    expect(account).toEqual({ status: 'inactive', role: 'user' });
    const cleo = await comeIn(run.tokens[0]);
    const users = await at.call('GET', '/admin/users', undefined, cleo.token);
    expect(users.status).toBe(200);
    for (const { email } of [ana, bo]) await told(email, recovered, 2);
    await told(cleo.email, recovered);
  });

  it('gives no link while the administrators cannot be told', async () => {
    const links = () => asSuperuser(at, 'select count(*)::int as count from account_links');
    const before = await links();
    const run = await at.adminCreate(['--recover', '--email', bo.email], { TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect(run).toMatchObject({ code: 1, tokens: [] });
    expect(run.stderr).toContain('could not be told');
    expect(await links()).toEqual(before);
    // A server that answers and takes no workflow, as one without the namespace.
    const lost = await at.adminCreate(['--recover', '--email', bo.email], { TEMPORAL_NAMESPACE: 'no-such-namespace' });
    expect(lost).toMatchObject({ code: 1, tokens: [] });
    const open = await asSuperuser(at, 'select l.id from account_links l join users u on u.id = l.user_id where u.email = $1 and l.used_at is null and l.revoked_at is null', [bo.email]);
    expect(open).toEqual([]);
    expect(await statusOf(bo.token)).toBe(200);
  });

  it('is stopped by an administrator who deactivates the account, or deletes it', async () => {
    const app = { ...at, call: (method: string, path: string, options?: CallOptions) => callApi(at.api.url, method, path, options) };
    const { sub, sid } = decodeJwt<{ sid: string }>(ana.token);
    const caller = { user_id: sub!, session_id: sid, token: ana.token };
    const end = async (email: string, method: string, body?: unknown) => {
      const [user] = await asSuperuser<{ id: string }>(at, 'select id from users where email = $1', [email]);
      const path = `/admin/users/${user!.id}`;
      const etag = (await app.call('GET', path, { token: ana.token })).headers.get('etag') ?? '';
      return (await callProven(app as unknown as TestApi, caller, method, path, { body, headers: { 'if-match': etag } })).status;
    };
    const plain = await createUser(at);
    const links: (string | undefined)[] = [];
    for (const email of [plain.email!, 'mallory@castellan.example']) links.push((await at.adminCreate(['--recover', '--email', email])).tokens[0]);
    const opened = () => Promise.all(links.map(async (token) => (await at.call('POST', '/auth/account-links/open', { token })).status));
    expect(await opened()).toEqual([200, 200]);
    expect(await end(plain.email!, 'PUT', { status: 'inactive' })).toBe(200);
    expect(await end('mallory@castellan.example', 'DELETE')).toBe(204);
    expect(await opened()).toEqual([410, 410]);
  });

  it('is refused for a tenant that is not there', async () => {
    const run = await at.adminCreate(['--recover', '--email', ana.email, '--tenant', 'nowhere.example']);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('There is no tenant nowhere.example');
    expect(await asSuperuser(at, "select id from tenants where domain = 'nowhere.example'")).toEqual([]);
  });
});

describe('T-36: what is left behind', () => {
  it('is in the audit: who was named by whom, each opening and each use', async () => {
    const rows = await asSuperuser<{ event: string; kind: string; outcome: string }>(
      at,
      `select l.event, l.entry->'actor'->>'kind' as kind, l.outcome from audit_logs l join users u on u.id::text = l.resource_id
       where u.email = 'cleo@castellan.example' and l.resource_type = 'user' order by l.seq`,
    );
    expect(rows.map(({ event, kind }) => `${event} by ${kind}`)).toEqual([
      'user.create by system',
      'account-link.issue by system',
      'account-link.open by service',
      'account-link.use by service',
    ]);
    const { body } = await at.call('GET', '/admin/audit-logs?event=account-link.issue&limit=1', undefined, ana.token);
    const entry = await at.call('GET', `/admin/audit-logs/${body.items[0].id}`, undefined, ana.token);
    expect(entry.body).toMatchObject({
      user_agent: expect.stringContaining('admin:create'),
      new_values: { purpose: 'administrator_recovery', expires_at: expect.any(String) },
    });
  });

  it('holds no link, key, password or recovery code: neither tables nor logs, mails or workflows', async () => {
    const places = new Map<string, string>([
      ['log', at.log.text],
      ['mails', at.mails.join('\n')],
      ...[...(await dumpTables(at.database.adminUrl))].map(([name, text]) => [`table ${name}`, text] as const),
      ...(await dumpWorkflows(at.api.deps.temporal.client, at.env.TEMPORAL_TASK_QUEUE)),
    ]);
    expect(places.get('table audit_logs')).toContain('account-link.use');
    expect(places.get('log')).toContain('/auth/account-links/complete');
    expect([...places.keys()].some((name) => name.startsWith('notification/'))).toBe(true);
    expect(secrets.size).toBeGreaterThan(40);
    const found = [...secrets].flatMap(([what, secret]) =>
      [...places].filter(([, text]) => text.includes(secret)).map(([place]) => `${what} in ${place}`),
    );
    expect(found).toEqual([]);
  });
});
