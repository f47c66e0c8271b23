import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseAdminCreate } from '../../src/dev/admin-create-arguments.ts';
import { dumpTables } from '../support/dumps.ts';
import { signIn, startInstallation, useLink } from '../support/operator.ts';
import type { Installation } from '../support/operator.ts';
import { asSuperuser } from '../support/superuser.ts';
import { quietTemporal } from '../support/temporal/temporal.ts';

let at: Installation;

beforeAll(async () => {
  await quietTemporal();
  at = await startInstallation();
});

afterAll(async () => {
  await at.close();
});

/** The rows that a refused run must leave as they are. */
async function everything(): Promise<string> {
  const tables = await dumpTables(at.database.adminUrl);
  const kept = ['tenants', 'users', 'admin_role_assignments', 'account_links', 'mfa_factors', 'sessions', 'audit_logs'];
  return hash('sha256', kept.map((name) => tables.get(name)).join('\n'));
}

const openStatus = async (token: string | undefined) => (await at.call('POST', '/auth/account-links/open', { token })).status;
const usersOf = (domain: string) =>
  asSuperuser<{ email: string; status: string; role: string; roles: number }>(
    at,
    `select u.email, u.status, u.role, (select count(*)::int from admin_role_assignments a where a.user_id = u.id and a.revoked_at is null) as roles
     from users u join tenants t on t.id = u.tenant_id where t.domain = $1 order by u.email`,
    [domain],
  );
const eventsOf = async (email: string) => {
  const rows = await asSuperuser<{ event: string }>(
    at,
    `select l.event from audit_logs l join users u on u.id::text = l.resource_id where u.email = $1 and l.resource_type = 'user' order by l.seq`,
    [email],
  );
  return rows.map(({ event }) => event);
};

describe('T-36: npm run admin:create, on an installation with nobody in it', () => {
  it.each([
    [['--email', 'nobody'], '--email'],
    [['--email', 'a@b.example', '--email', 'A@b.example'], 'each address stands once'],
    [['--email', 'a@b.example', '--name', 'A', '--name', 'B'], '--name'],
    [['--email', 'a@b.example', '--tenant', 'no tenant'], '--tenant'],
    [['--email', 'a@b.example', '--expires-minutes', '0'], '--expires-minutes'],
    [['--email', 'a@b.example', '--email', 'c@b.example', '--recover'], '--recover'],
    [['--email', 'a@b.example', '--tenant-name', 'X'], '--tenant-name'],
    [['--mail', 'a@b.example'], '--mail'],
  ])('does not take %j and says why', (args, named) => {
    expect(() => parseAdminCreate(args)).toThrow(named);
  });

  it('without an address says how it is called, and changes nothing', async () => {
    const before = await everything();
    const run = await at.adminCreate([]);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('Usage: npm run admin:create');
    expect(await everything()).toBe(before);
  });

  it('makes an account without rights and prints a link, once; a further run replaces the lost link', async () => {
    const first = await at.adminCreate(['--email', 'Ana@Castellan.example', '--name', 'Ana Silva']);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.tokens).toHaveLength(1);
    expect(first.tokens[0]).toMatch(/^[\w-]{43}$/);
    expect(first.stdout).toContain('Valid for 60 minutes');
    expect(await usersOf('agentmitra.com')).toEqual([{ email: 'ana@castellan.example', status: 'inactive', role: 'user', roles: 0 }]);

    const second = await at.adminCreate(['--email', 'ana@castellan.example', '--expires-minutes', '5']);
    expect(second.code).toBe(0);
    expect(await openStatus(first.tokens[0])).toBe(410);
    expect(await openStatus(second.tokens[0])).toBe(200);
    expect(await usersOf('agentmitra.com')).toHaveLength(1);
    const [{ minutes } = { minutes: 0 }] = await asSuperuser<{ minutes: number }>(
      at,
      'select extract(epoch from expires_at - created_at)::float8 / 60 as minutes from account_links where revoked_at is null',
    );
    expect(minutes).toBeCloseTo(5, 1);
    expect(await eventsOf('ana@castellan.example')).toEqual([
      'user.create',
      'account-link.issue',
      'account-link.revoke',
      'account-link.issue',
      'account-link.open',
    ]);
  });

  it('names somebody else in place of a mistyped address, whose link is void', async () => {
    const wrong = await at.adminCreate(['--email', 'anna@castellan.example']);
    const right = await at.adminCreate(['--email', 'ana@castellan.example']);
    expect(right.stdout).toContain('Named before, and not any more: anna@castellan.example');
    expect([await openStatus(wrong.tokens[0]), await openStatus(right.tokens[0])]).toEqual([410, 200]);
  });

  it('of two runs at once exactly one wins', async () => {
    const runs = await Promise.all([at.adminCreate(['--email', 'ana@castellan.example']), at.adminCreate(['--email', 'bo@castellan.example'])]);
    expect(runs.map(({ code }) => code).sort()).toEqual([0, 1]);
    expect(runs.flatMap(({ tokens }) => tokens)).toHaveLength(1);
    expect(runs.find(({ code }) => code === 1)?.stderr).toContain('Another run');
    expect(await openStatus(runs.flatMap(({ tokens }) => tokens)[0])).toBe(200);
  });

  it('after the link was used the person signs in with password and code and does what administrators do', async () => {
    const { tokens } = await at.adminCreate(['--email', 'ana@castellan.example']);
    const used = await useLink(at, tokens[0]);
    expect(used.answer.status).toBe(200);
    const signedIn = await signIn(at, used);
    expect(signedIn.status).toBe(200);
    const users = await at.call('GET', '/admin/users', undefined, signedIn.body.access_token);
    expect(users.status).toBe(200);
    const me = await at.call('GET', '/users/me', undefined, signedIn.body.access_token);
    expect(me.body).toMatchObject({ email: 'ana@castellan.example', role: 'sysadmin' });
  });

  it('is refused once somebody can sign in as administrator, and changes nothing', async () => {
    const before = await everything();
    for (const email of ['ana@castellan.example', 'eve@castellan.example']) {
      const run = await at.adminCreate(['--email', email]);
      expect(run).toMatchObject({ code: 1, stdout: '', tokens: [] });
      expect(run.stderr).toContain('has an administrator who can sign in');
      expect(run.stderr).toContain('--recover');
    }
    expect(await everything()).toBe(before);
  });
});

describe('T-36: npm run admin:create, for a tenant of its own', () => {
  it('makes the tenant where it is missing and names two people, each by a link of their own', async () => {
    const args = ['--tenant', 'acme.example', '--tenant-name', 'Acme', '--email', 'ana@castellan.example', '--email', 'carl@acme.example'];
    const run = await at.adminCreate(args);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain('The tenant Acme (acme.example) was created.');
    expect(run.tokens).toHaveLength(2);
    expect(new Set(run.tokens).size).toBe(2);
    const [ana, carl] = [await useLink(at, run.tokens[0]), await useLink(at, run.tokens[1])];
    expect([ana.answer.status, carl.answer.status]).toEqual([200, 200]);
    expect(ana.answer.body.tenant_domain).toBe('acme.example');
    // The same address has an account in the default tenant too, which the link has not touched.
    expect((await usersOf('agentmitra.com')).find(({ email }) => email === ana.email)).toMatchObject({ status: 'active', roles: 1 });

    const signedIn = await signIn(at, { ...carl, tenant_domain: 'acme.example' });
    const users = await at.call('GET', '/admin/users', undefined, signedIn.body.access_token);
    expect(users.body.items.map(({ email }: { email: string }) => email).sort()).toEqual(['ana@castellan.example', 'carl@acme.example']);
    expect((await at.adminCreate(args)).code).toBe(1);
  });

  it('is refused too while an administrator without a password can come in through an identity provider', async () => {
    const args = ['--tenant', 'federated.example', '--email', 'fay@federated.example'];
    await useLink(at, (await at.adminCreate(args)).tokens[0]);
    const [user] = await asSuperuser<{ tenant_id: string }>(
      at,
      "update users set password_hash = null where email = 'fay@federated.example' returning tenant_id",
    );
    const provider = { name: 'idp', issuer: 'https://idp.example', client_id: 'castellan', tenant_id: user!.tenant_id };
    const refused = await at.adminCreate(args, { OIDC_PROVIDERS: JSON.stringify([provider]) });
    expect(refused).toMatchObject({ code: 1, tokens: [] });
    expect(await at.adminCreate(args)).toMatchObject({ code: 0, stderr: '' });
  });

  it('is refused for a suspended tenant, whose links open nothing', async () => {
    const { tokens } = await at.adminCreate(['--tenant', 'dormant', '--email', 'dora@dormant.example']);
    await asSuperuser(at, "update tenants set status = 'suspended' where domain = 'dormant'");
    expect(await openStatus(tokens[0])).toBe(410);
    const run = await at.adminCreate(['--tenant', 'dormant', '--email', 'dora@dormant.example']);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('suspended');
  });

  it('says what is missing where the environment or the schema is not ready', async () => {
    const bare = await at.adminCreate(['--email', 'a@b.example'], { ENCRYPTION_KEYS: '' });
    expect(bare).toMatchObject({ code: 1, stdout: '' });
    expect(bare.stderr).toContain('ENCRYPTION_KEYS');
    const away = await at.adminCreate(['--email', 'a@b.example'], { DATABASE_URL: 'postgres://nobody:x@127.0.0.1:1/none' });
    expect(away).toMatchObject({ code: 1, stdout: '' });
    expect(away.stderr).not.toContain('    at ');
  });
});
