import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver, plainFlag } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { dumpTables, dumpWorkflows } from '../../support/dumps.ts';
import { eventually } from '../../support/eventually.ts';
import { uniqueName } from '../../support/factories/defaults.ts';
import { completeLink, openLink, signIn, useLink } from '../../support/operator.ts';
import { roleIds, secondTenant, signInMember, testPassword } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import type { Person } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { quietTemporal, workflowBundlePath } from '../../support/temporal/temporal.ts';

let app: TestApi;
let worker: RunningWorker;
let staff: SignedIn;
let colleague: SignedIn;
let other: OtherTenant;
let drive: ApprovalDriver;
/** Every token that was mailed. */
const tokens: string[] = [];

beforeAll(async () => {
  await quietTemporal();
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorker(app.env, app.api.deps.log);
  staff = await app.signIn('role-super-admin');
  colleague = await app.signIn('role-super-admin', 1);
  other = await secondTenant(app);
  drive = approvalDriver(app, staff);
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

const send = (person: Person, path: string, body: object): Promise<Answer> => callProven(app, person, 'POST', path, { body });
const namings = async (tenantId: string): Promise<Answer['body'][]> =>
  (await app.call('GET', `/tenants/${tenantId}/administrators`, { token: staff.token })).body.items;
const mailsTo = (address: string) =>
  asSuperuser<{ subject: string; body: string }>(app, 'select subject, body from development_mails where recipient = $1 order by id', [address]);

/** The token of the link that was mailed to an address last, when that many links were. */
async function mailedToken(address: string, count = 1): Promise<string> {
  const sent = 'select 1 from administrator_namings where email = $1 and sent_at is not null';
  await eventually(() => asSuperuser(app, sent, [address]), ({ length }) => length >= count, 30_000);
  const mails = (await mailsTo(address)).filter(({ subject }) => subject === 'You are named as an administrator');
  const token = /\/account-link#([\w-]{43})\n/.exec(mails.at(-1)?.body ?? '')?.[1] ?? '';
  tokens.push(token);
  return token;
}

const at = { call: (method: string, path: string, body?: unknown) => app.call(method, path, { body }) };

/** Uses a link and signs in. */
async function comeIn(token: string, tenant_domain: string): Promise<Person & { email: string }> {
  const { answer, ...person } = await useLink(at, token);
  expect(answer.status).toBe(200);
  const signedIn = await signIn(at, { ...person, tenant_domain });
  expect(signedIn.status).toBe(200);
  const { sub, sid } = decodeJwt<{ sub: string; sid: string }>(signedIn.body.access_token);
  return { email: person.email, user_id: sub, session_id: sid, token: signedIn.body.access_token };
}

const address = () => `${uniqueName('named')}@people.test`;
const request = (email: string) => ({ email, full_name: 'Eve Named', reason: 'their only administrator is gone' });
/** Until what commits are followed by is done. */
const untilDone = (kind: string) =>
  eventually(() => asSuperuser(app, 'select 1 from workflow_starts where kind like $1', [kind]), ({ length }) => length === 0);
/** Has a worker do again what follows a naming. */
async function startAgain(kind: string, namingId: string): Promise<void> {
  await asSuperuser(
    app,
    `insert into workflow_starts (tenant_id, kind, input, due_at) values ($1, $2, jsonb_build_object('naming_id', $3::text), now())`,
    [defaultTenantId, kind, namingId],
  );
  await untilDone(kind);
}
const isAlive = async ({ token }: Person) => (await app.call('GET', '/users/me', { token })).status;

describe('A new tenant (four eyes, case 2)', () => {
  it('names two, who each get a link of their own, count at once, and are apart', async () => {
    const domain = `${uniqueName('company')}.example`;
    const people = [address(), address()];
    const administrators = people.map((email) => ({ email, full_name: 'First Person' }));
    const created = await send(staff, '/tenants', { name: 'Company', domain, time_zone: 'Europe/Berlin', administrators });
    expect(created).toMatchObject({ status: 201, body: { super_admin_id: null, naming_ids: [expect.any(String), expect.any(String)] } });
    const { id } = created.body;
    // Nobody is in before a link is used.
    expect((await app.call('POST', '/auth/login', { body: { email: people[0], password: 'velvet-harbour-0000', tenant_domain: domain } })).status).toBe(401);
    const [ana, bo] = [await comeIn(await mailedToken(people[0]!), domain), await comeIn(await mailedToken(people[1]!), domain)];
    expect(await namings(id)).toEqual(
      people.toReversed().map((email) =>
        expect.objectContaining({ tenant_id: id, email, state: 'used', purpose: 'first_administrator', counts_from: null, named_by: staff.user_id, approval_id: null }),
      ),
    );
    expect((await app.call('GET', '/admin/tenant', { token: ana.token })).body).toMatchObject({ domain, time_zone: 'Europe/Berlin', currency: 'INR' });
    const opened = await send(ana, '/admin/feature-flags', { key: 'launch', environment: 'production', ...plainFlag });
    expect(opened.status).toBe(202);
    const approved = await send(bo, `/admin/approvals/${opened.body.id}/approve`, { digest: opened.body.digest });
    expect(approved).toMatchObject({ status: 200, body: { status: 'approved' } });
    // Who administers already is not taken back by the staff.
    const [naming] = await namings(id);
    const late = await send(staff, `/tenants/${id}/administrators/${naming.id}/take-back`, { reason: 'too late' });
    expect(late).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
    expect(await isAlive(bo)).toBe(200);
  });

  it('is refused with both kinds of first people, with none, and with one twice', async () => {
    const domain = `${uniqueName('company')}.example`;
    const person = { email: address(), full_name: 'First Person' };
    const super_admin = { ...person, password: 'velvet-harbour-12ab34cd' };
    for (const people of [{}, { super_admin, administrators: [person] }, { administrators: [person, person] }, { administrators: [] }]) {
      expect(await send(staff, '/tenants', { name: 'Company', domain, ...people })).toMatchObject({ status: 422, body: { code: 'request.invalid' } });
    }
    const ok = await send(staff, '/tenants', { name: 'Company', domain, administrators: [person] });
    expect(ok.status).toBe(201);
    const again = await send(staff, '/tenants', { name: 'Company', domain, administrators: [{ ...person, email: address() }] });
    expect(again).toMatchObject({ status: 409 });
    expect(await asSuperuser(app, 'select 1 from administrator_namings n join tenants t on t.id = n.named_tenant_id where t.domain = $1', [domain])).toHaveLength(1);
    await mailedToken(person.email);
  });
});

describe('R12: the platform’s staff name an administrator', () => {
  const path = () => `/tenants/${other.tenant_id}/administrators`;

  /** Names somebody with both of the staff. */
  async function named(email: string, tenantId = other.tenant_id): Promise<string> {
    const asked = await send(staff, `/tenants/${tenantId}/administrators`, request(email));
    expect(asked).toMatchObject({ status: 202, body: { action: 'tenant.name-administrator', status: 'pending' } });
    const shown = await drive.detail(asked.body.id);
    expect(shown.description).toContain(email);
    expect(shown.changes).toEqual([{ field: 'administrator', before: null, after: `Eve Named <${email}>` }]);
    expect((await drive.approve(colleague, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed', 30_000);
    return asked.body.id;
  }

  it('by two of them; the tenant is told, the link leads in, and decisions count 72 hours later', async () => {
    const email = address();
    const approval_id = await named(email);
    const token = await mailedToken(email);
    const [naming] = await namings(other.tenant_id);
    expect(naming).toMatchObject({ email, state: 'sent', approval_id, purpose: 'administrator_recovery', named_by_name: expect.any(String) });
    await eventually(() => mailsTo(other.admin.email), (mails) => mails.some(({ subject }) => subject.startsWith('The platform’s staff has issued a link')), 30_000);
    const [account] = await asSuperuser(app, 'select status from users where email = $1', [email]);
    expect(account).toEqual({ status: 'inactive' });
    const eve = await comeIn(token, await domainOf(other.tenant_id));
    const [used] = await namings(other.tenant_id);
    const hours = (Date.parse(used.counts_from) - Date.parse(used.used_at)) / 3_600_000;
    expect(used.state).toBe('used');
    expect(hours).toBeGreaterThan(71.9);
    expect(hours).toBeLessThan(72.1);
    expect((await app.call('GET', '/admin/users', { token: eve.token })).status).toBe(200);
    const staffEvents = await asSuperuser<{ event: string }>(
      app,
      "select event from audit_logs where chain_id = $1 and resource_id = $2 and event like 'tenant.%administrator' order by seq",
      [defaultTenantId, other.tenant_id],
    );
    expect(staffEvents.map(({ event }) => event)).toContain('tenant.name-administrator');

    const applications = address();
    await callProven(app, other.admin, 'POST', '/admin/notifications/channels', {
      body: { kind: 'email', name: 'Applications', email: applications, events: ['session.revoked'] },
    });

    // Until then the staff can take it back.
    const back = await send(staff, `${path()}/${used.id}/take-back`, { reason: 'it was the wrong Eve' });
    expect(back).toMatchObject({ status: 200, body: { state: 'taken_back', taken_back_by: staff.user_id } });
    expect(await isAlive(eve)).toBe(401);
    // What follows every deactivation follows this one too.
    const told = await eventually(() => mailsTo(applications), ({ length }) => length > 0);
    expect(told).toEqual([expect.objectContaining({ body: expect.stringContaining(eve.user_id) })]);
    const repeated = await send(colleague, `${path()}/${used.id}/take-back`, { reason: 'again' });
    expect(repeated).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
  });

  it('and take it back before the link is used, which is void then, also while it is about to be sent', async () => {
    const email = address();
    await named(email);
    const token = await mailedToken(email);
    const [sent] = await namings(other.tenant_id);
    expect(sent).toMatchObject({ email, state: 'sent' });
    expect((await send(staff, `${path()}/${sent.id}/take-back`, { reason: 'a mistake' })).body.state).toBe('taken_back');
    const revoked = 'select 1 from account_links l join users u on u.id = l.user_id where u.email = $1 and l.revoked_at is not null';
    expect(await asSuperuser(app, revoked, [email])).toHaveLength(1);
    expect((await at.call('POST', '/auth/account-links/open', { token })).status).toBe(410);

    await worker.close();
    const early = await asNaming(address());
    expect((await send(staff, `${path()}/${early.id}/take-back`, { reason: 'a mistake' })).body.state).toBe('taken_back');
    worker = await startWorker(app.env, app.api.deps.log);
    const waits = "select 1 from workflow_starts where kind like 'administrator-%'";
    await eventually(() => asSuperuser(app, waits), ({ length }) => length === 0, 30_000);
    expect(await mailsTo(early.email)).toEqual([]);
  });

  it('void the link, or end the account, in the answer itself, though no worker runs', async () => {
    const email = address();
    await named(email);
    const token = await mailedToken(email);
    const present = address();
    await named(present);
    const eve = await comeIn(await mailedToken(present), await domainOf(other.tenant_id));
    await worker.close();
    const [{ id: used }] = await namings(other.tenant_id);
    expect(await send(staff, `${path()}/${used}/take-back`, { reason: 'a mistake' })).toMatchObject({ status: 200, body: { state: 'taken_back' } });
    expect(await isAlive(eve)).toBe(401);
    const entries = await asSuperuser<{ event: string; tenant_id: string }>(
      app,
      'select event, tenant_id from audit_logs where request_id = $1 order by seq',
      [used],
    );
    expect(entries.filter(({ event }) => event === 'user.update')).toEqual([{ event: 'user.update', tenant_id: other.tenant_id }]);
    const sent = (await namings(other.tenant_id)).find((naming) => naming.email === email);
    expect((await send(staff, `${path()}/${sent.id}/take-back`, { reason: 'a mistake' })).body.state).toBe('taken_back');
    expect((await at.call('POST', '/auth/account-links/open', { token })).status).toBe(410);
    worker = await startWorker(app.env, app.api.deps.log);
  });

  it('void a link that was issued but not noted yet, as by a worker that died in between', async () => {
    const email = address();
    await named(email);
    const token = await mailedToken(email);
    await asSuperuser(app, 'update administrator_namings set user_id = null, link_id = null, sent_at = null where email = $1', [email]);
    const [waiting] = await namings(other.tenant_id);
    expect(waiting).toMatchObject({ email, state: 'waiting' });
    expect((await send(staff, `${path()}/${waiting.id}/take-back`, { reason: 'a mistake' })).body.state).toBe('taken_back');
    expect((await at.call('POST', '/auth/account-links/open', { token })).status).toBe(410);
    await startAgain('administrator-naming', waiting.id);
    expect((await at.call('POST', '/auth/account-links/open', { token })).status).toBe(410);
  });

  it('send another mail when the first was not noted, whose token alone works, unless the link was used', async () => {
    const email = address();
    await named(email);
    const first = await mailedToken(email);
    const [{ id }] = await namings(other.tenant_id);
    const forget = () =>
      asSuperuser(app, 'update administrator_namings set user_id = null, link_id = null, sent_at = null where email = $1', [email]);
    await forget();
    await startAgain('administrator-naming', id);
    const second = await mailedToken(email);
    expect(second).not.toBe(first);
    expect((await at.call('POST', '/auth/account-links/open', { token: first })).status).toBe(410);
    const eve = await comeIn(second, await domainOf(other.tenant_id));
    const links = async () => (await mailsTo(email)).filter(({ subject }) => subject === 'You are named as an administrator').length;
    expect(await links()).toBe(2);
    await forget();
    await startAgain('administrator-naming', id);
    expect((await namings(other.tenant_id))[0]).toMatchObject({ id, state: 'used' });
    expect(await links()).toBe(2);
    expect(await isAlive(eve)).toBe(200);
  });

  it('leave alone whom an earlier naming has let in, when a later one is taken back', async () => {
    const email = address();
    await named(email);
    const eve = await comeIn(await mailedToken(email), await domainOf(other.tenant_id));
    await named(email);
    await mailedToken(email, 2);
    const [later, earlier] = await namings(other.tenant_id);
    expect((await send(staff, `${path()}/${later.id}/take-back`, { reason: 'once was enough' })).body).toMatchObject({ state: 'taken_back', used_at: null });
    await untilDone('administrator-%');
    expect(await isAlive(eve)).toBe(200);
    // Only the naming that has let the person in can take that back, with what the person has made meanwhile.
    const made = await send(eve, '/admin/service-tokens', { name: uniqueName('token'), environment: 'staging', permissions: ['user:read'], expires_at: null });
    expect(made.status).toBe(201);
    const withToken = () => app.call('GET', '/admin/users', { token: made.body.token });
    expect((await withToken()).status).toBe(200);
    expect((await send(staff, `${path()}/${earlier.id}/take-back`, { reason: 'the wrong person' })).body.state).toBe('taken_back');
    expect(await isAlive(eve)).toBe(401);
    expect((await withToken()).status).toBe(401);
  });

  it('take back with somebody whatever they have let in or got hold of meanwhile', async () => {
    const domain = `${uniqueName('sole')}.test`;
    const opened = await send(staff, '/tenants', { name: 'Sole', domain, administrators: [{ email: address(), full_name: 'Away' }] });
    const tenantId: string = opened.body.id;
    const email = address();
    await named(email, tenantId);
    const eve = await comeIn(await mailedToken(email), domain);
    const [superAdmin] = await roleIds(app, eve, ['role-super-admin']);
    const make = async (by: Person, roles: string[]) => {
      const [mail, password] = [address(), testPassword()];
      const created = await send(by, '/admin/users', { full_name: 'Made', email: mail, password, roles: roles.map((role_id) => ({ role_id })) });
      expect(created.status).toBe(201);
      return signInMember(app, { user_id: created.body.id, email: mail, password });
    };
    const puppet = await make(eve, [superAdmin ?? '']);
    const second = await make(puppet, []);
    const before = await asSuperuser<{ id: string }>(app, 'insert into users (tenant_id, email, full_name) values ($1, $2, $3) returning id', [tenantId, address(), 'Before']);
    // Their decisions count no earlier than those of whoever has let them in.
    const waits = await asSuperuser<{ n: number }>(
      app,
      'select count(distinct decisions_count_from)::int as n from users where id = any($1)',
      [[eve.user_id, puppet.user_id, second.user_id]],
    );
    expect(waits).toEqual([{ n: 1 }]);
    const shown = await app.call('GET', `/admin/users/${puppet.user_id}`, { token: eve.token });
    expect(shown.body.decisions_count_from).toEqual(expect.any(String));

    const [naming] = await namings(tenantId);
    expect((await send(staff, `/tenants/${tenantId}/administrators/${naming.id}/take-back`, { reason: 'the wrong Eve' })).body.state).toBe('taken_back');
    expect(await Promise.all([eve, puppet, second].map((person) => isAlive(person)))).toEqual([401, 401, 401]);
    const { email: mail, password } = puppet;
    expect((await app.call('POST', '/auth/login', { body: { email: mail, password, tenant_domain: domain } })).status).toBe(401);
    const active = await asSuperuser<{ id: string }>(app, "select id from users where tenant_id = $1 and status = 'active'", [tenantId]);
    expect(active).toEqual(before);
  });

  it('leave the tenant its own word until decisions of the person count', async () => {
    const domain = `${uniqueName('objecting')}.test`;
    const people = [address(), address()];
    const opened = await send(staff, '/tenants', { name: 'Two', domain, administrators: people.map((email) => ({ email, full_name: 'First Person' })) });
    const tenantId: string = opened.body.id;
    const ana = await comeIn(await mailedToken(people[0]!), domain);
    const email = address();
    await named(email, tenantId);
    const eve = await comeIn(await mailedToken(email), domain);
    const status = async (by: Person, target: Person) => {
      const { headers } = await app.call('GET', `/admin/users/${target.user_id}`, { token: by.token });
      return callProven(app, by, 'PUT', `/admin/users/${target.user_id}`, { body: { status: 'inactive' }, headers: { 'if-match': headers.get('etag') ?? '' } });
    };
    const flag = { ...plainFlag, key: uniqueName('launch'), environment: 'production', enabled: true };
    const waiting = { allowed: false, code: 'tenant.naming-waits' };

    // Alone with somebody who waits, there is nobody who could approve; it is said, and nothing is opened in vain.
    const alone = await send(ana, '/admin/feature-flags', flag);
    expect(alone).toMatchObject({ status: 409, body: { code: 'approval.no-second-person', ways_out: ['wait', 'name_second', 'ask_platform'], counts_from: expect.any(String) } });
    const dashboard = await app.call('GET', '/admin/dashboard', { token: ana.token });
    expect(dashboard.body.sections.four_eyes.data).toMatchObject({ has_pair: false, decider_count: 2 });
    // Whoever waits does not put out the other one alone.
    expect(await status(eve, ana)).toMatchObject({ status: 202, body: { action: 'user.update' } });

    const bo = await comeIn(await mailedToken(people[1]!), domain);
    const asked = await send(ana, '/admin/feature-flags', flag);
    expect(asked.status).toBe(202);
    const seen = await app.call('GET', `/admin/approvals/${asked.body.id}`, { token: eve.token });
    expect(seen.body.can_decide).toMatchObject(waiting);
    for (const verdict of ['approve', 'reject']) {
      const answer = await send(eve, `/admin/approvals/${asked.body.id}/${verdict}`, { digest: asked.body.digest, reason: 'no' });
      expect(answer).toMatchObject({ status: 409, body: { code: waiting.code } });
    }
    expect((await send(bo, `/admin/approvals/${asked.body.id}/approve`, { digest: asked.body.digest })).status).toBe(200);
    await eventually(
      () => app.call('GET', `/admin/approvals/${asked.body.id}`, { token: ana.token }),
      ({ body }) => body.status === 'executed',
    );
    const off = await send(bo, `/admin/feature-flags/${flag.key}/emergency-off`, { environment: 'production', reason: 'it burns' });
    expect(off.status).toBe(200);
    const reviews = await app.call('GET', '/admin/break-glass-reviews', { token: eve.token });
    expect(reviews.status).toBe(200);
    const review = { verdict: 'justified', comment: 'it did' };
    const path = `/admin/break-glass-reviews/${reviews.body.items[0].id}`;
    expect(await send(eve, `${path}/complete`, review)).toMatchObject({ status: 409, body: { code: waiting.code } });
    expect((await send(ana, `${path}/complete`, review)).status).toBe(200);
  });

  it('lets the only one who counts object alone', async () => {
    const domain = `${uniqueName('objects')}.test`;
    const [first, email] = [address(), address()];
    const opened = await send(staff, '/tenants', { name: 'One', domain, administrators: [{ email: first, full_name: 'Only One' }] });
    const ana = await comeIn(await mailedToken(first), domain);
    await named(email, opened.body.id);
    const eve = await comeIn(await mailedToken(email), domain);
    const { headers } = await app.call('GET', `/admin/users/${eve.user_id}`, { token: ana.token });
    const objected = await callProven(app, ana, 'PUT', `/admin/users/${eve.user_id}`, {
      body: { status: 'inactive' },
      headers: { 'if-match': headers.get('etag') ?? '' },
    });
    expect(objected.status).toBe(200);
    expect(await isAlive(eve)).toBe(401);
  });

  it('never say "taken back" of somebody who stays: a link is used and taken back at the same moment', async () => {
    const outcomes: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      const domain = `${uniqueName('raced')}.test`;
      const email = address();
      const opened = await send(staff, '/tenants', { name: 'Raced', domain, administrators: [{ email, full_name: 'Cy' }] });
      expect(opened.status).toBe(201);
      const token = await mailedToken(email);
      const tenantPath = `/tenants/${opened.body.id}/administrators`;
      const [naming] = await namings(opened.body.id);
      const used = completeLink(at, await openLink(at, token));
      const takenBack = await setTimeout(20 + 8 * round).then(() => send(colleague, `${tenantPath}/${naming.id}/take-back`, { reason: 'raced' }));
      const { answer, ...person } = await used;
      await untilDone('administrator-%');
      const signedIn = await signIn(at, { ...person, tenant_domain: domain });
      outcomes.push(`${answer.status} ${takenBack.status} ${signedIn.status}`);
    }
    // Either the person is in and the naming stands, or the link is void and nobody can sign in.
    expect(outcomes.filter((outcome) => outcome !== '200 409 200' && outcome !== '410 200 401')).toEqual([]);
  });

  it('replaces a link that was lost by another one', async () => {
    const email = address();
    await named(email);
    const first = await mailedToken(email);
    await named(email);
    const second = await mailedToken(email, 2);
    expect((await at.call('POST', '/auth/account-links/open', { token: second })).status).toBe(200);
    expect((await at.call('POST', '/auth/account-links/open', { token: first })).status).toBe(410);
    const [now, before] = await namings(other.tenant_id);
    expect([now.state, before.state]).toEqual(['sent', 'replaced']);
  });

  it('is for the staff alone, for tenants that are there, and not for their own', async () => {
    const body = request(address());
    const list = await app.call('GET', path(), { token: other.admin.token });
    expect(list).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    expect(await send(other.admin, path(), body)).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    expect(await send(other.admin, `${path()}/${randomUUID()}/take-back`, { reason: 'no' })).toMatchObject({ status: 403 });
    expect((await app.call('POST', path(), { body })).status).toBe(401);
    expect(await send(staff, `/tenants/${randomUUID()}/administrators`, body)).toMatchObject({ status: 404 });
    expect(await send(staff, `/tenants/${defaultTenantId}/administrators`, body)).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
    expect(await send(staff, `${path()}/${randomUUID()}/take-back`, { reason: 'no' })).toMatchObject({ status: 404 });
    expect(await send(staff, path(), { ...body, email: 'nobody' })).toMatchObject({ status: 422 });
    // A naming is found in its own tenant only.
    const [naming] = await namings(other.tenant_id);
    expect(await send(staff, `/tenants/${randomUUID()}/administrators/${naming.id}/take-back`, { reason: 'no' })).toMatchObject({ status: 404 });
    expect(await app.call('GET', `/tenants/${randomUUID()}/administrators`, { token: staff.token })).toMatchObject({ status: 404 });
  });

  it('leaves no token behind: neither in tables nor in logs or workflows', async () => {
    const places = new Map<string, string>([
      ...[...(await dumpTables(app.database.adminUrl))]
        .filter(([name]) => name !== 'development_mails')
        .map(([name, text]) => [`table ${name}`, text] as const),
      ...(await dumpWorkflows(app.api.deps.temporal.client, app.env.TEMPORAL_TASK_QUEUE)),
    ]);
    expect(tokens.length).toBeGreaterThan(5);
    expect([...places].filter(([, text]) => tokens.some((token) => token !== '' && text.includes(token))).map(([place]) => place)).toEqual([]);
  });
});

async function domainOf(tenantId: string): Promise<string> {
  const [tenant] = await asSuperuser<{ domain: string }>(app, 'select domain from tenants where id = $1', [tenantId]);
  return tenant?.domain ?? '';
}

/** A naming that was approved while no worker could send it. */
async function asNaming(email: string): Promise<{ id: string; email: string }> {
  const [row] = await asSuperuser<{ id: string }>(
    app,
    `with naming as (
       insert into administrator_namings (tenant_id, named_tenant_id, email, full_name, purpose, reason, named_by)
       values ($1, $2, $3, 'Eve Named', 'administrator_recovery', 'a test', $4) returning id, tenant_id)
     , start as (
       insert into workflow_starts (tenant_id, kind, input, due_at)
       select tenant_id, 'administrator-naming', jsonb_build_object('naming_id', id), now() from naming)
     select id from naming`,
    [defaultTenantId, other.tenant_id, email, staff.user_id],
  );
  return { id: row?.id ?? '', email };
}
