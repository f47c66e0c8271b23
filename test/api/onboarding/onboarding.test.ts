import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { samplePassword } from '../../../src/dev/sample-data.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { makePerson, otherTenantId, testPassword } from '../../support/people.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { createCampaign } from '../../support/factories/assignment.ts';
import { createRole, createRoleAssignment, createUser } from '../../support/factories/identity.ts';
import { createOnboardingLink } from '../../support/factories/onboarding.ts';
import { auditEvents } from '../../support/audit-events.ts';

const base = '/api/admin/onboarding';

let app: TestApi;
let manager: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  manager = await app.signIn('role-super-admin');
});

afterAll(() => app.close());

interface Made {
  readonly id: string;
  readonly token: string;
}

let names = 0;
async function makeLink(body: object = {}): Promise<Made> {
  names += 1;
  const answer = await app.call('POST', `${base}/create-link`, {
    token: manager.token,
    body: { recipient_name: `Newcomer ${names}`, purpose: 'Agent onboarding', ...body },
  });
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 201 });
  return { id: answer.body.id, token: answer.body.token };
}

/** The rate limiter counts by address for all tests of the file; only its own test may reach the limit. */
const forget = () => asSuperuser(app, "delete from rate_limit_counters where key like 'public-token%'");
/** What the page of a link sends for the person in front of it. */
async function visit(method: string, { token }: Pick<Made, 'token'>, rest = '', body?: unknown): Promise<Answer> {
  await forget();
  const headers = { 'x-requested-with': 'XMLHttpRequest' };
  return app.call(method, `${base}/o/${token}${rest}`, body === undefined ? { headers } : { body, headers });
}
/** What a scanner of mails sends, and whatever else follows every address. */
async function look(method: string, { token }: Pick<Made, 'token'>, query = ''): Promise<Answer> {
  await forget();
  return app.call(method, `${base}/o/${token}${query}`, { headers: { 'user-agent': 'scanner/1' } });
}
const detail = async ({ id }: Made) => (await app.call('GET', `${base}/link/${id}`, { token: manager.token })).body;
const post = ({ id }: Made, verb: string, body: object = {}) =>
  app.call('POST', `${base}/link/${id}/${verb}`, { token: manager.token, body });
const stored = async ({ id }: Made) => {
  const [row] = await asSuperuser(app, 'select * from onboarding_link where id = $1', [id]);
  return row ?? {};
};
const endTime = ({ id }: Made) =>
  asSuperuser(app, "update onboarding_link set expires_at = now() - interval '1 minute' where id = $1", [id]);

describe('S3-15..19: the links of a tenant', () => {
  it('are created with an address that is returned once, are listed, and are found by status', async () => {
    const made = await makeLink({ recipient_email: 'Ada@Example.com' });
    const shown = await detail(made);
    expect(shown).toMatchObject({
      status: 'pending',
      recipient_email: 'ada@example.com',
      token_last4: made.token.slice(-4),
      capabilities: ['save_progress', 'complete'],
      version: 1,
      accesses: [],
    });
    expect(JSON.stringify(shown)).not.toContain(made.token);
    expect(Date.parse(shown.expires_at) - Date.parse(shown.created_at)).toBe(7 * 24 * 3600_000);
    expect(Date.parse(shown.max_expires_at) - Date.parse(shown.created_at)).toBe(90 * 24 * 3600_000);
    const list = await app.call('GET', `${base}/links?status=pending&recipient_email=ada@example.com`, { token: manager.token });
    expect(list.body.items.map(({ id }: Made) => id)).toEqual([made.id]);
    await endTime(made);
    expect((await detail(made)).status).toBe('expired');
    const expired = await app.call('GET', `${base}/links?status=expired`, { token: manager.token });
    expect(expired.body.items.map(({ id }: Made) => id)).toContain(made.id);
  });

  it('S3-50: tokens are 32 base64url characters, unique, and stored in no table', async () => {
    const [drawn] = await asSuperuser<{ tokens: number; shortest: number; bad: number }>(
      app,
      `select count(distinct t)::int as tokens, min(length(t)) as shortest, count(*) filter (where t !~ '^[A-Za-z0-9_-]{32}$')::int as bad
       from (select generate_onboarding_token() as t from generate_series(1, 100000)) d`,
    );
    expect(drawn).toEqual({ tokens: 100_000, shortest: 32, bad: 0 });
    const made = await makeLink();
    await visit('GET', made);
    const tables = await asSuperuser<{ name: string }>(
      app,
      "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
    );
    for (const { name } of tables) {
      const [found] = await asSuperuser<{ hits: number }>(
        app,
        `select count(*)::int as hits from ${name} t where t::text like $1`,
        [`%${made.token}%`],
      );
      expect({ name, hits: found?.hits }).toEqual({ name, hits: 0 });
    }
  });

  it('S3-52: extending counts from the end, reopens an expired link, and stops at ninety days', async () => {
    const made = await makeLink();
    const before = await detail(made);
    const day = 24 * 3600;
    const extended = await post(made, 'extend', { extend_seconds: 3 * day });
    expect(Date.parse(extended.body.expires_at) - Date.parse(before.expires_at)).toBe(3 * day * 1000);
    await endTime(made);
    await asSuperuser(app, 'select expire_old_onboarding_links() from (select set_config($1, $2, false)) s', ['app.tenant_id', defaultTenantId]);
    const revived = await post(made, 'extend', { extend_seconds: 30 * day });
    expect(revived.body).toMatchObject({ status: 'pending', extended_count: 2 });
    expect((await post(made, 'extend', { extend_seconds: 31 * day })).status).toBe(422);
    for (let step = 0; step < 2; step += 1) await post(made, 'extend', { extend_seconds: 30 * day });
    expect((await detail(made)).expires_at).toBe(before.max_expires_at);
    expect((await post(made, 'extend')).body).toMatchObject({ status: 409, code: 'onboarding.life-spent' });
  });

  it('S3-51: live as long as the settings of their tenant say', async () => {
    const settings = `${base}/settings`;
    const put = (body: object) => app.call('PUT', settings, { token: manager.token, body });
    const usual = { default_life_seconds: 604_800, max_step_seconds: 2_592_000, max_life_seconds: 7_776_000 };
    expect((await app.call('GET', settings, { token: manager.token })).body).toEqual(usual);
    expect((await put({ default_life_seconds: 2_592_001 })).body).toMatchObject({
      status: 422,
      errors: [{ pointer: '/default_life_seconds' }],
    });
    expect((await put({ max_life_seconds: 60 })).body).toMatchObject({ status: 422, errors: [{ pointer: '/max_step_seconds' }] });
    const mine = { default_life_seconds: 3_600, max_step_seconds: 7_200, max_life_seconds: 10_800 };
    expect((await put(mine)).body).toEqual(mine);
    const made = await makeLink();
    const link = await detail(made);
    expect(Date.parse(link.expires_at) - Date.parse(link.created_at)).toBe(3_600_000);
    expect(Date.parse(link.max_expires_at) - Date.parse(link.created_at)).toBe(10_800_000);
    expect((await post(made, 'extend', { extend_seconds: 7_201 })).body).toMatchObject({
      status: 422,
      errors: [{ pointer: '/extend_seconds' }],
    });
    const refused = await app.call('POST', `${base}/create-link`, {
      token: manager.token,
      body: { recipient_name: 'Long', purpose: 'too long', life_seconds: 86_400 },
    });
    expect(refused.body).toMatchObject({ status: 422, errors: [{ pointer: '/life_seconds' }] });
    expect((await put(usual)).body).toEqual(usual);
    // Existing links keep the longest life that they were created with.
    expect((await detail(made)).max_expires_at).toBe(link.max_expires_at);
  });

  it('S3-52: revoking is final and audited with old and new state', async () => {
    const made = await makeLink();
    expect((await post(made, 'revoke', { reason: 'wrong person' })).body).toMatchObject({
      status: 'revoked',
      revoked_by: manager.user_id,
      revoke_reason: 'wrong person',
    });
    for (const verb of ['revoke', 'extend']) {
      expect((await post(made, verb)).body).toMatchObject({ status: 409, code: 'onboarding.closed' });
    }
    expect(await auditEvents(app, 'onboarding_link', made.id)).toEqual(['onboarding_link.create', 'onboarding_link.revoke']);
  });

  it('S3-46: callers who may only read see their own links; another tenant sees none', async () => {
    const made = await makeLink();
    const outsider = await makePerson(app, otherTenantId, 'role-super-admin');
    expect((await app.call('GET', `${base}/link/${made.id}`, { token: outsider.token })).status).toBe(404);
    const reader = await makePerson(app, defaultTenantId, null);
    const role = await createRole(app, { permissions: ['onboarding:read'] });
    await createRoleAssignment(app, { user_id: reader.user_id, role_id: role.id });
    const session = await app.call('POST', '/auth/login', { body: { email: reader.email, password: samplePassword } });
    const own = await createOnboardingLink(app, { created_by: reader.user_id });
    const list = await app.call('GET', `${base}/links`, { token: session.body.access_token });
    expect(list.body.items.map(({ id }: Made) => id)).toEqual([own.id]);
    expect((await app.call('GET', `${base}/link/${made.id}`, { token: session.body.access_token })).status).toBe(404);
  });
});

describe('S3-20..22: the holder of a link', () => {
  it('S3-47: needs no account, and the address gets into no referrer and no cache', async () => {
    const made = await makeLink();
    const answer = await visit('GET', made);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ status: 'opened', capabilities: ['save_progress', 'complete'], answers: {}, version: 1 });
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const dead = await visit('GET', { token: 'x'.repeat(32) });
    expect(dead.headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('S3-53: gets the same 404 for a malformed token and an unknown one', async () => {
    const [malformed, unknown] = [await visit('GET', { token: 'nonsense' }), await visit('GET', { token: 'A'.repeat(32) })];
    const { instance: _one, ...first } = malformed.body;
    const { instance: _other, ...second } = unknown.body;
    expect(first).toEqual(second);
    expect(first).toMatchObject({ status: 404, code: 'resource.not-found' });
  });

  it('S3-53: gets 410 with a reason and nothing personal from a link that has ended', async () => {
    const made = { expired: await makeLink(), revoked: await makeLink(), completed: await makeLink() };
    await endTime(made.expired);
    await post(made.revoked, 'revoke');
    await visit('POST', made.completed, '/complete', {});
    for (const [reason, one] of Object.entries(made)) {
      for (const answer of [await visit('GET', one), await visit('PUT', one, '/progress', { version: 1 })]) {
        expect(answer.status).toBe(410);
        expect(Object.keys(answer.body).sort()).toEqual(['code', 'detail', 'instance', 'reason', 'status', 'title', 'type']);
        expect(answer.body).toMatchObject({ code: 'onboarding.link-dead', reason });
      }
    }
    for (const one of [made.expired, made.revoked]) expect((await visit('POST', one, '/complete', {})).status).toBe(410);
  });

  it('S3-54: opening a link twenty times, as a mail scanner does, changes only the access record', async () => {
    const made = await makeLink();
    const before = await stored(made);
    for (let times = 0; times < 20; times += 1) expect((await look(times % 2 === 0 ? 'GET' : 'HEAD', made)).status).toBe(200);
    const after = await stored(made);
    const changed = Object.keys(before).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
    expect(changed.filter((key) => key !== 'attended_at').sort()).toEqual([
      'access_count',
      'last_accessed_at',
      'last_ip',
      'last_user_agent',
    ]);
    expect(after['access_count']).toBe(20);
    expect((await visit('POST', made, '/complete', {})).status).toBe(200);
  });

  it('S3-54: twenty parallel completes are one completion and nineteen identical replays', async () => {
    const made = await makeLink();
    await visit('GET', made);
    const before = await metric();
    const answers = await Promise.all(Array.from({ length: 20 }, () => visit('POST', made, '/complete', {})));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    const outcomes = (await detail(made)).accesses.map(({ outcome }: { outcome: string }) => outcome);
    expect(outcomes.filter((outcome: string) => outcome === 'completed')).toHaveLength(1);
    expect(outcomes.filter((outcome: string) => outcome === 'replayed')).toHaveLength(19);
    const [audited] = await asSuperuser(
      app,
      "select count(*)::int as n from audit_logs where event = 'onboarding_link.complete' and resource_id = $1",
      [made.id],
    );
    expect(audited).toEqual({ n: 1 });
    // X-28, S1-43: measured once a link.
    expect(await metric()).toBe(before + 1);
  });

  const metric = async () =>
    Number(/^castellan_onboarding_duration_seconds_count\{[^}]*\} (\d+)/m.exec((await app.call('GET', '/metrics')).body)?.[1] ?? 0);

  it('a stale save gets 409 with the current state, from which another device goes on', async () => {
    const made = await makeLink();
    const first = await visit('PUT', made, '/progress', { version: 1, answers: { name: 'Ada' }, current_step: 'name', progress_percent: 20 });
    expect(first.body).toMatchObject({ status: 'in_progress', version: 2, progress_percent: 20 });
    const stale = await visit('PUT', made, '/progress', { version: 1, answers: { name: 'Eve' } });
    expect(stale.body).toMatchObject({
      status: 409,
      code: 'onboarding.progress-stale',
      current: { answers: { name: 'Ada' }, version: 2, current_step: 'name' },
    });
    const second = await visit('PUT', made, '/progress', { version: 2, answers: { city: 'Pune' } });
    expect(second.body.answers).toEqual({ name: 'Ada', city: 'Pune' });
    expect((await visit('GET', made)).body).toMatchObject({ answers: { name: 'Ada', city: 'Pune' }, current_step: 'name', version: 3 });
    expect((await visit('POST', made, '/complete', { version: 2 })).status).toBe(409);
    const large = await visit('PUT', made, '/progress', { version: 3, answers: { essay: 'x'.repeat(70_000) } });
    expect(large.body).toMatchObject({ status: 422, errors: [{ pointer: '/answers' }] });
    const seen = (await detail(made)).accesses.map(({ outcome }: { outcome: string }) => outcome);
    expect(seen).toEqual(['refused', 'stale', 'shown', 'saved', 'stale', 'saved']);
  });

  it('is refused what the link does not allow', async () => {
    const made = await makeLink({ capabilities: ['complete'] });
    const answer = await visit('PUT', made, '/progress', { version: 1 });
    expect(answer.body).toMatchObject({ status: 403, code: 'onboarding.not-allowed', capability: 'save_progress' });
  });

  it('S3-56: every access is listed with time, address, agent and outcome', async () => {
    const made = await makeLink();
    await look('GET', made);
    await visit('GET', made);
    await post(made, 'revoke');
    await visit('GET', made);
    const { accesses, access_count } = await detail(made);
    expect(access_count).toBe(3);
    const scanned = { outcome: 'viewed', user_agent: 'scanner/1', ip: '127.0.0.1' };
    expect(accesses).toMatchObject([{ outcome: 'revoked' }, { outcome: 'shown' }, scanned]);
  });

  it('S3-53: too many attempts from one address are refused with 429, whatever the token', async () => {
    await forget();
    const answers: number[] = [];
    for (let attempt = 0; attempt < 62; attempt += 1) {
      const { status } = await app.call('GET', `${base}/o/guess-${attempt}`);
      answers.push(status);
    }
    expect(answers.slice(0, 60).every((status) => status === 404)).toBe(true);
    expect(answers.slice(60)).toEqual([429, 429]);
    await forget();
  });
});

describe('U-19, X-28: a scanner of mails', () => {
  it('does not open a link: neither its status, nor the creator’s news, nor the time until it is completed', async () => {
    const made = await makeLink();
    expect((await look('GET', made)).body).toMatchObject({ status: 'pending' });
    expect(await detail(made)).toMatchObject({ status: 'pending', first_accessed_at: null, accesses: [{ outcome: 'viewed' }] });
    expect((await visit('GET', made)).body).toMatchObject({ status: 'opened' });
    expect(await detail(made)).toMatchObject({ status: 'opened', first_accessed_at: expect.any(String) });
  });

  it.each([
    ['HEAD', { 'x-requested-with': 'XMLHttpRequest' }],
    ['GET', { 'x-requested-with': 'XMLHttpRequest', 'sec-purpose': 'prefetch;prerender' }],
    ['GET', { 'x-requested-with': 'XMLHttpRequest', purpose: 'prefetch' }],
    ['GET', { 'x-requested-with': '' }],
  ])('is none that opens it: %s with %j', async (method, headers) => {
    const made = await makeLink();
    await forget();
    expect((await app.call(method, `${base}/o/${made.token}`, { headers })).status).toBe(200);
    expect(await detail(made)).toMatchObject({ status: 'pending', first_accessed_at: null });
  });

  it('is told from a person who acts without the page', async () => {
    const made = await makeLink();
    await look('GET', made);
    await forget();
    const saved = await app.call('PUT', `${base}/o/${made.token}/progress`, { body: { version: 1, answers: { name: 'Ada' } } });
    expect(saved.body).toMatchObject({ status: 'in_progress' });
    expect(await detail(made)).toMatchObject({ status: 'in_progress', first_accessed_at: expect.any(String) });
  });
});

describe('U-18: what mailers append to an address', () => {
  it.each(['?utm_source=mail', '?fbclid=abc&gclid=d', '?utm_campaign=a%20b&mc_eid=1', '?'])('%s is ignored on a link', async (query) => {
    const made = await makeLink();
    expect((await look('GET', made, query)).status).toBe(200);
    expect((await look('GET', made, '?utm_source=%00')).status).toBe(200);
    expect((await visit('PUT', made, `/progress${query}`, { version: 1 })).status).toBe(200);
    expect((await visit('POST', made, `/complete${query}`, {})).status).toBe(200);
  });

  it('is ignored by the other addresses that people open without an account, and refused elsewhere', async () => {
    const opened = await app.call('POST', '/auth/account-links/open?utm_source=mail', { body: { token: 'x'.repeat(43) } });
    expect(opened.status).not.toBe(422);
    const list = await app.call('GET', `${base}/links?utm_source=mail`, { token: manager.token });
    expect(list).toMatchObject({ status: 422, body: { errors: [{ pointer: '/query/utm_source' }] } });
  });
});

describe('U-17, S3-22: an account without a way in', () => {
  const account = (name: string) => ({ recipient_email: `${name}@example.com`, account: { roles: [] } });

  it('is not made: the password is asked for', async () => {
    const made = await makeLink(account('keyless'));
    expect((await visit('GET', made)).body).toMatchObject({ password_required: true });
    const refused = await visit('POST', made, '/complete', {});
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer: '/password' }] } });
    expect(await detail(made)).toMatchObject({ status: 'opened', outcome: null });
    const password = 'a long walk by the quiet river';
    expect((await visit('POST', made, '/complete', { password })).body).toMatchObject({ account: 'created' });
    const signedIn = await app.call('POST', '/auth/login', { body: { email: 'keyless@example.com', password } });
    expect(signedIn.status).toBe(200);
  });

  it('is not made, and no password is dropped, where the link is extended beside its completion', async () => {
    for (let round = 0; round < 12; round += 1) {
      const name = `extended-${round}`;
      const made = await makeLink(account(name));
      await asSuperuser(app, "update onboarding_link set status = 'expired', expires_at = now() - interval '1 minute' where id = $1", [made.id]);
      const password = round % 2 === 0 ? undefined : testPassword();
      const [done] = await Promise.all([
        visit('POST', made, '/complete', password === undefined ? {} : { password }),
        post(made, 'extend', { extend_seconds: 86_400 }),
      ]);
      expect([200, 410, 422]).toContain(done.status);
      if (done.status !== 200) continue;
      expect(password).toBeDefined();
      const signedIn = await app.call('POST', '/auth/login', { body: { email: `${name}@example.com`, password } });
      expect(signedIn.status).toBe(200);
    }
  });

  it('needs none where the link makes no account', async () => {
    const made = await makeLink();
    expect((await visit('GET', made)).body).toMatchObject({ password_required: false });
    expect((await visit('POST', made, '/complete', {})).status).toBe(200);
  });

  it('needs none where a provider signs the people of the tenant in', async () => {
    const provider = { name: 'idp', issuer: 'https://idp.example', client_id: 'castellan', scope: 'openid', tenant_id: defaultTenantId };
    const other = await app.another({ OIDC_PROVIDERS: [provider] });
    const made = await makeLink(account('federated'));
    await forget();
    const at = new URL(`${base}/o/${made.token}`, other.url);
    expect(await (await fetch(at)).json()).toMatchObject({ password_required: false });
    const done = await fetch(`${at.href}/complete`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    expect(await done.json()).toMatchObject({ account: 'created' });
  });
});

describe('a link that creates an account', () => {
  const roleId = async (code: string) => {
    const [row] = await asSuperuser<{ id: string }>(app, 'select id from admin_roles where code = $1 and tenant_id is null', [code]);
    return row?.id ?? '';
  };

  it('assigns ordinary roles at once and lets those of administrators wait for an approval', async () => {
    const [plain, strong] = [await roleId('role-junior-agent'), await roleId('role-provider-admin')];
    const recipient_email = 'grace@example.com';
    const campaign = await createCampaign(app, { status: 'active' });
    const made = await makeLink({
      recipient_email,
      account: { roles: [{ role_id: plain }, { role_id: strong }], campaign_ids: [campaign.id] },
    });
    expect((await visit('GET', made)).body.capabilities).toEqual(['save_progress', 'complete', 'create_account']);
    expect((await visit('POST', made, '/complete', { password: 'short' })).status).toBe(422);
    const password = 'a long walk by the quiet river';
    const done = await visit('POST', made, '/complete', { full_name: 'Grace Hopper', password });
    expect(done.body).toMatchObject({ status: 'completed', account: 'created' });
    const { outcome } = await detail(made);
    expect(outcome).toMatchObject({ roles_given: [plain], roles_waiting: [{ role_id: strong }], campaigns_joined: [campaign.id] });
    const signedIn = await app.call('POST', '/auth/login', { body: { email: recipient_email, password } });
    expect(signedIn.status).toBe(200);
    const user = await app.call('GET', `/admin/users/${outcome.user_id}`, { token: manager.token });
    expect(user.body).toMatchObject({ full_name: 'Grace Hopper', email: recipient_email });
    // Completing again gives no access and changes nothing, whatever is sent.
    const again = await visit('POST', made, '/complete', { password: 'another one that is long enough' });
    expect(again.body).toEqual(done.body);
    expect((await app.call('POST', '/auth/login', { body: { email: recipient_email, password } })).status).toBe(200);
  });

  it('leaves an existing account unchanged', async () => {
    const made = await makeLink({ recipient_email: 'late@example.com', account: {} });
    await createUser(app, { email: 'late@example.com' });
    expect((await visit('POST', made, '/complete', { password: testPassword() })).body).toMatchObject({ account: 'kept_back' });
    const refused = await app.call('POST', `${base}/create-link`, {
      token: manager.token,
      body: { recipient_name: 'Late', recipient_email: 'late@example.com', purpose: 'again', account: {} },
    });
    expect(refused.status).toBe(409);
  });

  it('cannot be created by a caller who could not create the account directly', async () => {
    const regional = await app.signIn('role-regional-manager');
    const answer = await app.call('POST', `${base}/create-link`, {
      token: regional.token,
      body: { recipient_name: 'New', recipient_email: 'new@example.com', purpose: 'onboarding', account: {} },
    });
    expect(answer.body).toMatchObject({ status: 403, code: 'auth.forbidden' });
  });
});
