import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { samplePassword } from '../../../src/dev/sample-data.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { createCastellanClient } from '../../../src/sdk/index.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { dumpTables, dumpWorkflows } from '../../support/dumps.ts';
import { eventually } from '../../support/eventually.ts';
import { uniqueName } from '../../support/factories/defaults.ts';
import { createUser } from '../../support/factories/identity.ts';
import { makePerson, newMember, secondTenant } from '../../support/people.ts';
import type { Member } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { quietTemporal, workflowBundlePath } from '../../support/temporal/temporal.ts';
import { freshTotpCode } from '../../support/totp.ts';

let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;
/** The same, as it makes accounts. */
let maker: Member;
let second: SignedIn;
let provider: SignedIn;
let drive: ApprovalDriver;

beforeAll(async () => {
  await quietTemporal();
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorker(app.env, app.api.deps.log);
  admin = await app.signIn('role-super-admin');
  maker = { ...admin, password: samplePassword };
  second = await app.signIn('role-super-admin', 1);
  provider = await app.signIn('role-provider-admin');
  drive = approvalDriver(app, admin);
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

/** Somebody who has set an authenticator app up, and will lose it. */
interface Owner extends SignedIn {
  readonly password: string;
  readonly recovery_codes: readonly string[];
}

let enrolments = 0;

async function enrol(person: Omit<SignedIn, 'totp_secret'>, password = samplePassword): Promise<Owner> {
  const send = (path: string, body: object) => callProven(app, person, 'POST', path, { body });
  const { secret } = (await send('/auth/totp/setup', { password })).body;
  enrolments += 1;
  // Each app has time steps of its own.
  const code = await freshTotpCode({ user_id: `${person.user_id}/${enrolments}`, totp_secret: secret });
  const confirmed = await send('/auth/totp/verify', { code });
  expect(confirmed.status).toBe(200);
  return { ...person, password, totp_secret: secret, recovery_codes: confirmed.body.recovery_codes };
}

const owner = async (role = 'role-junior-agent') => enrol(await makePerson(app, defaultTenantId, role));

const reason = 'the phone fell into a lake';

const ask = ({ email, password = samplePassword }: { email: string; password?: string }, url = app.url, more: object = {}): Promise<Answer> =>
  callApi(url, 'POST', '/auth/factor-recovery', { body: { email, password, reason, ...more } });

const login = ({ email, password = samplePassword }: { email: string; password?: string }, code?: string) =>
  app.call('POST', '/auth/login', { body: { email, password, code } });

const approve = async (person: Pick<SignedIn, 'user_id' | 'token' | 'session_id'>, approvalId: string) =>
  drive.approve(person as SignedIn, { id: approvalId, digest: (await drive.detail(approvalId)).digest });

const openedBy = (userId: string) =>
  asSuperuser<{ id: string; status: string }>(app, 'select id, status from admin_approvals where requested_by = $1', [userId]);

const mailsTo = (address: string, text: RegExp) =>
  eventually(
    () => asSuperuser<{ subject: string; body: string }>(app, 'select subject, body from development_mails where recipient = $1', [address]),
    (mails) => mails.some(({ subject, body }) => text.test(`${subject}\n${body}`)),
  );

const essence = ({ status, body: { code, title, detail } }: Answer) => ({ status, code, title, detail });

describe('a lost second factor, asked for by its owner and approved by one decider apart (R4)', () => {
  it('is removed with recovery codes and sessions; the password signs in, until a new app is set up', async () => {
    const junior = await newMember(app, maker, ['role-junior-agent']);
    await asSuperuser(app, "update account_acts set closed_at = now(), close_reason = 'confirmed' where target_id = $1", [junior.user_id]);
    const person = await enrol(junior, junior.password);
    const factor = { sign_in_requires_totp: true, password: person.password };
    expect((await app.call('PUT', '/users/me/sign-in-factor', { token: person.token, body: factor })).status).toBe(200);
    expect((await login(person)).status).toBe(401);

    const asked = await ask(person);
    expect(asked).toMatchObject({ status: 202, body: { status: 'pending', execution_due_at: null } });
    expect(Object.keys(asked.body).toSorted()).toEqual(['approval_id', 'execution_due_at', 'review_due_at', 'status']);
    expect(Date.parse(asked.body.review_due_at)).toBeGreaterThan(Date.now() + 3_600_000);
    expect(await ask(person)).toMatchObject({ status: 202, body: asked.body });
    const { approval_id } = asked.body;
    const detail = await drive.detail(approval_id);
    expect(detail).toMatchObject({
      action: 'user.reset-factor',
      requested_by: person.user_id,
      requested_by_name: 'Some Member',
      reason,
      steps: [{ name: 'decider', quorum: 1, approvals: 0 }],
      policy: { bypassers: [] },
    });
    const shown = await app.call('GET', `/admin/approvals/${approval_id}`, { token: second.token });
    expect(shown.body.can_decide).toMatchObject({ allowed: true });
    expect(detail.description).toContain(`Remove the lost second factor of Some Member (${person.email}). Asked with the password alone`);
    expect(detail.changes).toContainEqual({ field: 'authenticator app', before: expect.stringContaining('set up at 20'), after: null });
    // A password is not enough to undo anything yet.
    expect((await app.call('GET', '/users/me', { token: person.token })).status).toBe(200);
    expect((await login(person)).status).toBe(401);

    expect((await approve(second, approval_id)).body.status).toBe('approved');
    await drive.settled(approval_id, 'executed');
    await eventually(
      () => app.call('GET', '/users/me', { token: person.token }),
      ({ status }) => status === 401,
    );
    const signedIn = await login(person);
    expect(signedIn.status).toBe(200);
    const session = { ...person, token: signedIn.body.access_token, session_id: signedIn.body.session_id };
    expect((await app.call('GET', '/auth/totp', { token: session.token })).body).toEqual({
      is_enrolled: false,
      confirmed_at: null,
      recovery_codes_left: 0,
    });
    expect(await asSuperuser(app, 'select id from account_acts where target_id = $1 and closed_at is null', [person.user_id])).toEqual([]);

    // The next step-up goes by mail, and takes neither the old app nor a recovery code of it.
    const challenge = { action: 'flag.toggle', payload_digest: 'a'.repeat(64) };
    const { challenge_id, method } = (await app.call('POST', '/admin/mfa/request', { token: session.token, body: challenge })).body;
    expect(method).toBe('email');
    for (const code of [await freshTotpCode(person), person.recovery_codes[0]]) {
      const answer = await app.call('POST', '/admin/mfa/verify', { token: session.token, body: { challenge_id, code } });
      expect(answer.body).toMatchObject({ code: 'mfa.code-refused', reason: 'wrong' });
    }
    const renewed = await enrol(session, person.password);
    expect((await login(person)).status).toBe(401);
    expect((await login(person, await freshTotpCode(person))).status).toBe(401);
    expect((await login(person, person.recovery_codes[1])).status).toBe(401);
    expect((await login(person, renewed.recovery_codes[0])).status).toBe(200);

    const audited = await asSuperuser<{ event: string; user_id: string; outcome: string }>(
      app,
      `select event, user_id, outcome from audit_logs where outcome = 'success' and
         (resource_id = $1 or event in ('mfa.password-proof', 'user.reset-factor') and user_id = $2) order by seq`,
      [approval_id, person.user_id],
    );
    expect(audited.map(({ event, user_id }) => [event, user_id])).toEqual([
      ['mfa.password-proof', person.user_id],
      ['approval.opened', person.user_id],
      ['approval.approve', second.user_id],
      ['user.reset-factor', person.user_id],
      ['approval.execute', person.user_id],
    ]);

    await mailsTo(person.email, /has asked, with the password alone/);
    for (const { email } of [person, admin, second, provider]) await mailsTo(email, /lost second factor removed, with an approval/);
    const [news] = (await mailsTo(second.email, /Asked with the password alone/)).filter(({ body }) => body.includes(approval_id));
    expect(news?.body).toContain(`Requested by Some Member: ${reason}`);
    expect(news?.body).not.toContain(person.email);

    const places = [
      ...[...(await dumpTables(app.database.adminUrl))].map(([name, text]) => [`table ${name}`, text] as const),
      ...(await dumpWorkflows(app.api.deps.temporal.client, app.env.TEMPORAL_TASK_QUEUE)),
    ];
    const secrets = [person.password, person.totp_secret, ...person.recovery_codes];
    expect(places.filter(([, text]) => secrets.some((secret) => text.includes(secret))).map(([name]) => name)).toEqual([]);
  });

  it('is one request however often it is asked for, at any process at one time', async () => {
    const person = await owner();
    const other = await app.another();
    const answers = await Promise.all([app.url, other.url, app.url, other.url].map((url) => ask(person, url)));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(new Set(answers.map(({ body }) => body.approval_id)).size).toBe(1);
    expect(await openedBy(person.user_id)).toEqual([{ id: answers[0]!.body.approval_id, status: 'pending' }]);
    const used = await asSuperuser(app, "select id from mfa_challenges where user_id = $1 and method = 'password' and consumed_at is not null", [person.user_id]);
    expect(used).toHaveLength(1);
    const { email, password } = person;
    const client = createCastellanClient({ baseUrl: app.url });
    expect(await client.requestFactorRecovery({ email, password, reason })).toEqual(answers[0]!.body);
    expect(client.tokens).toBeNull();
  });

  it('stays when the request is rejected, and may be asked for again; the same person says no once', async () => {
    const person = await owner();
    const { approval_id } = (await ask(person)).body;
    const no = async (by: SignedIn, id: string) => drive.say(by, 'reject', { id }, { digest: (await drive.detail(id)).digest, reason: 'not them' });
    expect((await no(second, approval_id)).body.status).toBe('rejected');
    await mailsTo(person.email, /A change was rejected/);
    expect((await app.call('GET', '/auth/totp', { token: person.token })).body.is_enrolled).toBe(true);
    const again = await ask(person);
    expect(again).toMatchObject({ status: 202, body: { status: 'pending' } });
    expect(again.body.approval_id).not.toBe(approval_id);
    expect((await no(second, again.body.approval_id)).body.code).toBe('approval.rejected-before');
    expect((await no(provider, again.body.approval_id)).body.status).toBe('rejected');
  });

  it('is cancelled by an owner who still has the factor: somebody else had the password', async () => {
    const person = await owner();
    const { approval_id } = (await ask(person)).body;
    const cancelled = await callProven(app, person, 'POST', `/admin/approvals/${approval_id}/cancel`, { body: { reason: 'it was not me' } });
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    expect((await app.call('GET', '/auth/totp', { token: person.token })).body.is_enrolled).toBe(true);
  });

  it('never takes an app that was set up after it was asked for', async () => {
    const person = await owner();
    const { approval_id } = (await ask(person)).body;
    const disabled = await app.call('POST', '/auth/totp/disable', {
      token: person.token,
      body: { password: person.password, code: person.recovery_codes[0] },
    });
    expect(disabled.status).toBe(204);
    const { digest } = await drive.detail(approval_id);
    expect(await drive.detail(approval_id)).toMatchObject({ is_stale: true });
    expect((await approve(second, approval_id)).body).toMatchObject({ code: 'approval.stale', detail: expect.stringContaining('was lost') });
    await enrol(person);
    expect(await drive.detail(approval_id)).toMatchObject({ is_stale: true });
    expect((await approve(second, approval_id)).body).toMatchObject({ code: 'approval.stale', detail: expect.stringContaining('was lost') });
    const newer = await ask(person);
    expect(newer.body.approval_id).not.toBe(approval_id);
    expect(await drive.detail(newer.body.approval_id)).toMatchObject({ digest: expect.not.stringContaining(digest), is_stale: false });
    expect((await app.call('GET', '/auth/totp', { token: person.token })).body.is_enrolled).toBe(true);
  });
});

describe('who decides on it', () => {
  it('is nobody who stands behind the owner, nor behind whom the owner stands, nor the owner', async () => {
    const junior = await newMember(app, maker, ['role-junior-agent']);
    const { approval_id } = (await ask(await enrol(junior, junior.password))).body;
    expect(await approve(admin, approval_id)).toMatchObject({ status: 403, body: { code: 'approval.not-eligible' } });
    const detail = await drive.detail(approval_id);
    expect(detail.can_decide).toMatchObject({ allowed: false, code: 'approval.not-eligible' });
    const [step] = detail.policy.steps;
    expect(step.users).toEqual(expect.arrayContaining([second.user_id, provider.user_id]));
    expect(step.users).not.toContain(admin.user_id);

    // A confirmation makes the maker count again, but not here: they may know the first password.
    const confirmed = await newMember(app, maker, ['role-junior-agent']);
    const acts = await asSuperuser<{ id: string }>(app, 'select id from account_acts where target_id = $1', [confirmed.user_id]);
    const confirmation = { how: 'in_person', acts: acts.map(({ id }) => id) };
    expect((await callProven(app, second, 'POST', `/admin/users/${confirmed.user_id}/confirm`, { body: confirmation })).status).toBe(204);
    const tied = await makePerson(app, defaultTenantId, 'role-provider-admin');
    await asSuperuser(app, "insert into account_acts (tenant_id, target_id, actor_id, kind) values ($1, $2, $3, 'identity')", [
      defaultTenantId,
      tied.user_id,
      admin.user_id,
    ]);
    const later = (await ask(await enrol(confirmed, confirmed.password))).body.approval_id;
    for (const by of [admin, tied]) expect((await approve(by, later)).body.code).toBe('approval.not-eligible');
    expect((await approve(second, later)).body.status).toBe('approved');
    await drive.settled(later, 'executed');

    const boss = await owner('role-super-admin');
    const puppet = await makePerson(app, defaultTenantId, 'role-provider-admin');
    await asSuperuser(app, "insert into account_acts (tenant_id, target_id, actor_id, kind) values ($1, $2, $3, 'create')", [
      defaultTenantId,
      puppet.user_id,
      boss.user_id,
    ]);
    const own = (await ask(boss)).body.approval_id;
    expect((await approve(boss, own)).body.code).toBe('approval.own-request');
    expect((await approve(puppet, own)).body.code).toBe('approval.not-independent');
    expect((await approve(provider, own)).body.status).toBe('approved');
    await drive.settled(own, 'executed');
  });

  it('is nobody of another tenant, and nobody at all where the owner has no second person', async () => {
    const person = await owner();
    const { approval_id } = (await ask(person)).body;
    const { digest } = await drive.detail(approval_id);
    const { admin: boss } = await secondTenant(app);
    const body = { digest, reason: null };
    expect((await callProven(app, boss, 'POST', `/admin/approvals/${approval_id}/approve`, { body })).status).toBe(404);
    const domain = boss.email.split('@')[1];
    expect((await ask(person, app.url, { tenant_domain: domain })).status).toBe(401);

    const alone = await ask(await enrol(boss, boss.password));
    expect(alone).toMatchObject({ status: 409, body: { code: 'approval.no-second-person', ways_out: ['name_second', 'ask_platform'] } });
    const junior = await newMember(app, boss, ['role-junior-agent']);
    const made = await ask(await enrol(junior, junior.password), app.url, { tenant_domain: domain });
    expect(made).toMatchObject({ status: 409, body: { code: 'approval.no-second-person', ways_out: ['confirm', 'name_second', 'ask_platform'] } });
    expect(await openedBy(boss.user_id)).toEqual([]);
    expect(await asSuperuser(app, "select id from mfa_challenges where user_id = $1 and method = 'password'", [boss.user_id])).toEqual([]);
  });

  it('cannot be changed: no gate policy is written for it, however strong', async () => {
    for (const gate of ['none', 'mfa', 'approval']) {
      for (const environment of ['any', 'production']) {
        const answer = await drive.putPolicy({ action: 'user.reset-factor', environment, gate, ...(gate === 'approval' ? {} : { steps: [] }) });
        expect(answer).toMatchObject({ status: 422, body: { code: 'request.invalid' } });
        expect(answer.body.errors).toContainEqual(expect.objectContaining({ pointer: '/action' }));
      }
    }
    const { items } = (await app.call('GET', '/admin/approvals/gates', { token: admin.token })).body;
    expect(items.find(({ operation_id }: { operation_id: string }) => operation_id === 'requestFactorRecovery')).toMatchObject({
      action: 'user.reset-factor',
      permission: 'public',
      by_environment: { any: 'approval', production: 'approval' },
      floor_by_environment: { any: 'approval', development: 'approval' },
    });
  });
});

describe('who asks for it', () => {
  it('is refused as at sign-in: wrong password, unknown address, no password, inactive account, and takes as long', async () => {
    const person = await owner();
    const external = await createUser(app);
    const gone = await makePerson(app, defaultTenantId, 'role-junior-agent');
    await asSuperuser(app, "update users set status = 'inactive' where id = $1", [gone.user_id]);
    const refused = [
      await ask({ email: person.email, password: 'wrong' }),
      await ask({ email: `${uniqueName('nobody')}@people.test` }),
      await ask({ email: external.email! }),
      await ask(gone),
    ];
    for (const answer of refused) {
      expect(essence(answer)).toEqual(essence(refused[0]!));
      expect(answer).toMatchObject({ status: 401, body: { code: 'auth.invalid-credentials' } });
    }
    const audited = await asSuperuser(
      app,
      "select reason from audit_logs where event = 'mfa.recovery' and outcome = 'refused' and resource_id = any($1)",
      [[person.user_id, external.id]],
    );
    expect(audited).toEqual([{ reason: 'auth.invalid-credentials' }, { reason: 'auth.invalid-credentials' }]);
    expect(await openedBy(person.user_id)).toEqual([]);

    const median = (values: number[]) => values.toSorted((one, two) => one - two)[Math.floor(values.length / 2)] ?? 0;
    const time = async (email: string) => {
      const started = performance.now();
      await ask({ email, password: 'wrong' });
      return performance.now() - started;
    };
    const [known, unknown]: [number[], number[]] = [[], []];
    for (let round = 0; round < 9; round += 1) {
      known.push(await time(person.email));
      unknown.push(await time(`nobody-${round}@people.test`));
    }
    // An answer without the hash of a password would come in a fraction of the time.
    expect(median(unknown)).toBeGreaterThan(median(known) * 0.5);
  });

  it('counts with the attempts to sign in, on every process', async () => {
    const person = await owner();
    const strict = await app.another({ SIGN_IN_LIMIT_PER_ACCOUNT: 3 });
    const attempt = (path: string) =>
      callApi(strict.url, 'POST', path, {
        body: { email: person.email, password: 'wrong', ...(path === '/auth/login' ? {} : { reason }) },
      });
    for (const path of ['/auth/factor-recovery', '/auth/login', '/api/v1/auth/factor-recovery']) expect((await attempt(path)).status).toBe(401);
    const locked = await ask(person, strict.url);
    expect(locked).toMatchObject({ status: 429, body: { code: 'request.rate-limited' } });
    expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await openedBy(person.user_id)).toEqual([]);
  });

  it('has an app to lose, and says why', async () => {
    const person = await makePerson(app, defaultTenantId, 'role-junior-agent');
    expect(await ask(person)).toMatchObject({ status: 409, body: { code: 'mfa.not-enrolled' } });
    expect((await ask(person, app.url, { reason: ' ' })).status).toBe(422);
    const keyed = await app.call('POST', '/auth/factor-recovery', {
      body: { email: person.email, password: samplePassword, reason },
      headers: { 'idempotency-key': 'of-nobody' },
    });
    expect(keyed).toMatchObject({ status: 400, body: { code: 'idempotency.not-offered' } });
  });

  it('is the owner alone: nobody opens it among the other requests, nor edits it, whatever they prove', async () => {
    const person = await owner('role-super-admin');
    const [factor] = await asSuperuser<{ id: string }>(app, 'select id from mfa_factors where user_id = $1', [person.user_id]);
    const body = { action: 'user.reset-factor', payload: { user_id: person.user_id, factor_id: factor!.id }, reason };
    for (const by of [admin, provider, person]) {
      expect(await callProven(app, by, 'POST', '/admin/approvals', { body })).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    }
    const { approval_id } = (await ask(person)).body;
    const { digest } = await drive.detail(approval_id);
    const edit = { digest, payload: { user_id: admin.user_id, factor_id: factor!.id } };
    for (const by of [admin, person]) {
      const answer = await callProven(app, by, 'POST', `/admin/approvals/${approval_id}/edit`, { body: edit });
      expect(answer).toMatchObject({ status: 403 });
    }
    // The lock behind it: the database takes a proof by password for nothing else.
    const forged = `insert into mfa_challenges (tenant_id, user_id, action, payload_digest, method, expires_at)
      values ($1, $2, 'flag.toggle', $3, 'password', now())`;
    await expect(asSuperuser(app, forged, [defaultTenantId, person.user_id, digest])).rejects.toThrow('mfa_challenges_password');
  });
});

describe('while no worker is there', () => {
  it('answers 503 with nothing changed, now or later, and opens it when it is asked for again', async () => {
    const person = await owner();
    const hasty = await app.another({ COMMAND_DEADLINE_MS: 2_000 });
    await worker.close();
    const refused = await ask(person, hasty.url);
    expect(refused).toMatchObject({ status: 503, body: { detail: expect.stringContaining('Nothing was changed') } });
    worker = await startWorker(app.env, app.api.deps.log);
    const asked = await eventually(
      () => ask(person),
      ({ status }) => status === 202,
      60_000,
    );
    expect(await openedBy(person.user_id)).toEqual([{ id: asked.body.approval_id, status: 'pending' }]);
  });
});
