import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { samplePassword } from '../../../src/dev/sample-data.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { startApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { uniqueName } from '../../support/factories/defaults.ts';
import { createRole } from '../../support/factories/identity.ts';
import { makePerson, roleIds, secondTenant, signInMember, testPassword } from '../../support/people.ts';
import type { Member } from '../../support/people.ts';
import { callProven, provenCall } from '../../support/second-factor.ts';
import type { Person } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let stage: ApprovalStage;
let app: TestApi;
let admin: SignedIn;
let second: SignedIn;
let provider: SignedIn;
let drive: ApprovalDriver;

beforeAll(async () => {
  stage = await startApprovalStage();
  ({ app, admin, second, provider, drive } = stage);
});

afterAll(() => stage.close());

const send = (person: Person, method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Answer> =>
  callProven(app, person, method, path, { body, ...(headers === undefined ? {} : { headers }) });

const shown = (path: string, person: Person = admin) => app.call('GET', path, { token: person.token });

/** Makes an account as somebody with a factor, and signs it in. */
async function made(by: Person, roles: readonly string[]): Promise<Member> {
  const [email, password] = [`${uniqueName('made')}@people.test`, testPassword()];
  const created = await send(by, 'POST', '/admin/users', { full_name: 'Made Person', email, password, roles: roles.map((role_id) => ({ role_id })) });
  expect(created.status).toBe(201);
  return signInMember(app, { user_id: created.body.id, email, password });
}

const openActs = async (userId: string, person: Person = admin): Promise<string[]> =>
  (await shown(`/admin/account-acts?user_id=${userId}&state=open`, person)).body.items.map(({ id }: { id: string }) => id);

async function confirm(by: Person, userId: string): Promise<Answer> {
  return send(by, 'POST', `/admin/users/${userId}/confirm`, { how: 'in_person', acts: await openActs(userId, by) });
}

const approve = (person: Person, request: { id: string; digest: string }) => drive.approve(person as SignedIn, request);

const mailsTo = (address: string) =>
  asSuperuser<{ subject: string; body: string }>(app, 'select subject, body from development_mails where recipient = $1 order by id desc', [address]);

/** A role that may ask for switches of flags and decides nothing. */
const askingRole = () => createRole(app, { permissions: ['profile:read', 'flag:read', 'flag:toggle', 'approval:request', 'approval:read'] });

const toggle = (person: Person, key: string) =>
  send(person, 'POST', `/admin/feature-flags/${key}/toggle`, { environment: 'production', enabled: true, version: 1, reason: 'launch day' });

async function asked(person: Person, key: string): Promise<{ id: string; digest: string }> {
  await drive.productionFlag(key);
  const answer = await toggle(person, key);
  expect(answer).toMatchObject({ status: 202 });
  return answer.body;
}

describe('T-8: a second account is no second person', () => {
  it('takes two to make somebody who decides, on every path, once there is a pair', async () => {
    const [superAdmin] = await roleIds(app, admin, ['role-super-admin']);
    const body = { full_name: 'Puppet', email: `${uniqueName('puppet')}@people.test`, password: testPassword(), roles: [{ role_id: superAdmin }] };
    const created = await send(admin, 'POST', '/admin/users', body);
    expect(created).toMatchObject({ status: 202, body: { action: 'user.create' } });
    expect((await asSuperuser(app, 'select id from users where email = $1', [body.email])).length).toBe(0);
    const detail = await drive.detail(created.body.id);
    expect(detail).toMatchObject({ payload: null, description: expect.stringContaining('Puppet') });
    expect(JSON.stringify(detail)).not.toContain('password');

    const person = await makePerson(app, defaultTenantId, 'role-junior-agent');
    const granted = await send(admin, 'POST', `/admin/users/${person.user_id}/roles`, { role_id: superAdmin });
    expect(granted).toMatchObject({ status: 202, body: { action: 'user.assign-role' } });
    const own = await createRole(app, { permissions: ['profile:read'] });
    const raised = await send(admin, 'PUT', `/admin/roles/${own.id}/permissions`, { permissions: ['approval:decide'] }, { 'if-match': '"1"' });
    expect(raised).toMatchObject({ status: 202, body: { action: 'role.update-permissions' } });
    const fresh = { code: uniqueName('deciding'), name: 'Deciding', permissions: ['approval:decide'] };
    expect(await send(admin, 'POST', '/admin/roles', fresh)).toMatchObject({ status: 202, body: { action: 'role.create' } });

    expect((await approve(second, granted.body)).status).toBe(200);
    await drive.settled(granted.body.id, 'executed');
    const acts = (await shown(`/admin/account-acts?user_id=${person.user_id}`)).body.items;
    expect(acts).toEqual([
      expect.objectContaining({ kind: 'grant', actor_id: admin.user_id, approval_id: granted.body.id, closes_at: expect.any(String), is_open: true }),
    ]);
  });

  it('does not count whoever made the requester, nor the other way round, until somebody else has confirmed the account', async () => {
    const junior = await made(admin, [(await askingRole()).id]);
    const request = await asked(junior, 'of-a-junior');
    const refused = await approve(admin, request);
    expect(refused).toMatchObject({
      status: 403,
      body: {
        code: 'approval.not-independent',
        needs: 'confirmation',
        because: { kind: 'create', actor_id: admin.user_id, actor_name: 'Super Administrator', target_name: 'Made Person', is_alone: true },
      },
    });
    expect(refused.body.detail).toContain('Super Administrator made the account of Made Person on');
    const listed = (await shown('/admin/approvals?status=pending')).body.items.find(({ id }: { id: string }) => id === request.id);
    expect(listed.can_decide).toMatchObject({ allowed: false, code: 'approval.not-independent', needs: 'confirmation' });
    expect((await shown(`/admin/approvals/${request.id}`, second)).body.can_decide).toMatchObject({ allowed: true });

    // The maker cannot confirm, and nothing is confirmed unseen.
    expect((await confirm(admin, junior.user_id)).body.code).toBe('account.not-apart');
    const stale = await send(second, 'POST', `/admin/users/${junior.user_id}/confirm`, { how: 'phone', acts: [request.id] });
    expect(stale.body.code).toBe('account.acts-changed');
    expect((await confirm(second, junior.user_id)).status).toBe(204);
    expect((await send(second, 'POST', `/admin/users/${junior.user_id}/confirm`, { how: 'phone', acts: [request.id] })).body.code).toBe(
      'account.nothing-to-confirm',
    );
    expect((await approve(admin, request)).body.status).toBe('approved');
    await drive.settled(request.id, 'executed');
  });

  it('never ripens by waiting: what one did alone stays open, what two did ages out', async () => {
    const junior = await made(admin, [(await askingRole()).id]);
    await asSuperuser(app, "update account_acts set created_at = created_at - interval '400 days' where target_id = $1", [junior.user_id]);
    const request = await asked(junior, 'of-a-sleeper');
    expect((await approve(admin, request)).body.code).toBe('approval.not-independent');
    await asSuperuser(
      app,
      "update account_acts set approval_id = gen_random_uuid(), closes_at = now() - interval '1 day' where target_id = $1",
      [junior.user_id],
    );
    expect((await approve(admin, request)).body.status).toBe('approved');
  });

  it('is judged again in the transaction of the vote and at execution: a vote that ties meanwhile is void', async () => {
    const junior = await made(second, [(await askingRole()).id]);
    expect((await confirm(admin, junior.user_id)).status).toBe(204);
    const request = await asked(junior, 'tied-meanwhile');
    const act = `insert into public.account_acts (tenant_id, target_id, actor_id, kind) select tenant_id, id, '${provider.user_id}', 'identity' from public.users where id = '${junior.user_id}'`;
    await drive.whenApproved(request.id, act);
    expect((await approve(provider, request)).body.status).toBe('approved');
    const back = await drive.settled(request.id, 'pending');
    expect(back.decisions).toContainEqual(expect.objectContaining({ approver_id: provider.user_id, void_reason: 'not_independent' }));
    // A proof that was made before the tie does not help either.
    const late = await provenCall(app, second, 'POST', `/admin/approvals/${request.id}/approve`, { body: { digest: request.digest } });
    await asSuperuser(app, `insert into account_acts (tenant_id, target_id, actor_id, kind) select tenant_id, id, $1, 'address' from users where id = $2`, [
      second.user_id,
      junior.user_id,
    ]);
    expect(await late()).toMatchObject({ status: 403, body: { code: 'approval.not-independent', because: { actor_name: 'Second Administrator' } } });
  });

  it('gives the deciding role of an onboarding link by approval only, whatever its coarse role', async () => {
    const deciding = await createRole(app, { permissions: ['profile:read', 'approval:decide'] });
    const created = await send(admin, 'POST', '/api/admin/onboarding/create-link', {
      recipient_name: 'Linked Person',
      recipient_email: `${uniqueName('linked')}@people.test`,
      purpose: 'joins',
      account: { roles: [{ role_id: deciding.id }] },
    });
    expect(created.status).toBe(201);
    const completed = await app.call('POST', `/api/admin/onboarding/o/${created.body.token}/complete`, { body: { answers: {}, password: testPassword() } });
    expect(completed.status).toBe(200);
    const [link] = await asSuperuser<{ outcome: { user_id: string; roles_given: string[]; roles_waiting: unknown[] } }>(
      app,
      'select outcome from onboarding_link where id = $1',
      [created.body.id],
    );
    expect(link?.outcome).toMatchObject({ roles_given: [], roles_waiting: [{ role_id: deciding.id }] });
    expect((await shown(`/admin/account-acts?user_id=${link?.outcome.user_id}`)).body.items).toMatchObject([{ kind: 'create', actor_id: admin.user_id }]);
  });

  it('ends a request that one person keeps refusing nowhere: the same change is refused by them once', async () => {
    const request = await drive.opened('refused-once');
    const no = (which: { id: string; digest: string }) => drive.say(provider, 'reject', which, { digest: which.digest, reason: 'no' });
    expect((await no(request)).body.status).toBe('rejected');
    const again = await drive.requestToggle('refused-once');
    expect(again.body.digest).toBe(request.digest);
    expect((await no(again.body)).body.code).toBe('approval.rejected-before');
    expect((await approve(second, again.body)).body.status).toBe('approved');
  });

  it('keeps the environment of a production queue: it is unregistered by two and not registered as development', async () => {
    const queue = { name: uniqueName('queue'), provider: 'temporal', source_name: app.env.TEMPORAL_TASK_QUEUE, environment: 'production' };
    expect((await send(admin, 'POST', '/admin/queues', queue)).status).toBe(201);
    const removal = await send(admin, 'DELETE', `/admin/queues/${queue.name}`);
    expect(removal).toMatchObject({ status: 202, body: { action: 'queue.unregister' } });
    expect((await approve(second, removal.body)).status).toBe(200);
    await drive.settled(removal.body.id, 'executed');
    const again = await send(admin, 'POST', '/admin/queues', { ...queue, environment: 'development' });
    expect(again).toMatchObject({ status: 409, body: { code: 'queue.environment-fixed' } });
    expect((await send(admin, 'POST', '/admin/queues', queue)).status).toBe(201);
  });
});

describe('T-7: nobody becomes somebody else', () => {
  it('changes a decider’s address by two; it is pending until its owner confirms it, and sessions end', async () => {
    const peer = await makePerson(app, defaultTenantId, 'role-provider-admin');
    const path = `/admin/users/${peer.user_id}`;
    const etag = async () => (await shown(path)).headers.get('etag') ?? '';
    const address = `${uniqueName('new')}@people.test`;
    const change = await send(admin, 'PUT', path, { email: address }, { 'if-match': await etag() });
    expect(change).toMatchObject({ status: 202, body: { action: 'user.update' } });
    expect((await drive.detail(change.body.id)).changes).toEqual([{ field: 'email', before: peer.email, after: address }]);
    expect((await approve(second, change.body)).status).toBe(200);
    await drive.settled(change.body.id, 'executed');
    expect((await shown(path)).body).toMatchObject({ email: peer.email, pending_email: address });
    expect((await app.call('GET', '/users/me', { token: peer.token })).status).toBe(401);
    // The old address hears of it, and so does everybody who decides.
    for (const told of [peer.email, provider.email]) {
      await eventually(() => mailsTo(told), (mails) => mails.some(({ subject }) => subject.includes('has changed address, number or status of')), 30_000);
    }
    const again = await signInMember(app, { ...peer, password: samplePassword });
    const requested = await app.call('POST', '/users/me/address/code', { token: again.token });
    expect(requested).toMatchObject({ status: 202 });
    const [mail] = await mailsTo(address);
    const code = /\d{6}/.exec(mail?.body ?? '')?.[0] ?? '';
    const wrong = code === '000000' ? '000001' : '000000';
    expect((await app.call('POST', '/users/me/address/confirm', { token: again.token, body: { code: wrong } })).body.code).toBe('mfa.code-refused');
    expect((await app.call('POST', '/users/me/address/confirm', { token: again.token, body: { code } })).body).toEqual({ email: address });
    expect((await app.call('POST', '/users/me/address/confirm', { token: again.token, body: { code } })).body.code).toBe('resource.conflict');
    expect((await shown(path)).body).toMatchObject({ email: address, pending_email: null });
  });

  it('links and unlinks identities, takes roles, deactivates and deletes a decider by two, and anybody else by one', async () => {
    const peer = await makePerson(app, defaultTenantId, 'role-provider-admin');
    const junior = await makePerson(app, defaultTenantId, 'role-junior-agent');
    const identity = () => ({ issuer: 'https://id.example.com', subject: uniqueName('subject') });
    const etag = async (id: string) => ({ 'if-match': (await shown(`/admin/users/${id}`)).headers.get('etag') ?? '' });
    const assignment = async (id: string) => (await shown(`/admin/users/${id}`)).body.roles[0].assignment_id;
    const statuses = async (id: string) => [
      (await send(admin, 'POST', `/admin/users/${id}/identities`, identity())).status,
      (await send(admin, 'DELETE', `/admin/users/${id}/roles/${await assignment(id)}`)).status,
      (await send(admin, 'PUT', `/admin/users/${id}`, { status: 'inactive' }, await etag(id))).status,
      (await send(admin, 'DELETE', `/admin/users/${id}`, undefined, await etag(id))).status,
    ];
    expect(await statuses(peer.user_id)).toEqual([202, 202, 202, 202]);
    expect(await statuses(junior.user_id)).toEqual([201, 204, 200, 204]);
    // Texts of anybody take one.
    expect((await send(admin, 'PUT', `/admin/users/${peer.user_id}`, { job_title: 'Chief' }, await etag(peer.user_id))).status).toBe(200);
  });
});

describe('T-7: whoever stands behind a decider is none of one person’s', () => {
  it('changes the account by two, also once its person decides nothing any more', async () => {
    const ann = await makePerson(app, defaultTenantId, 'role-super-admin');
    const [superAdmin] = await roleIds(app, admin, ['role-super-admin']);
    const hon = { full_name: 'Hon', email: `${uniqueName('hon')}@people.test`, roles: [{ role_id: superAdmin }] };
    const asked = await send(ann, 'POST', '/admin/users', hon);
    expect(asked.status).toBe(202);
    expect((await approve(second, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed');
    const { assignment_id } = (await shown(`/admin/users/${ann.user_id}`)).body.roles[0];
    const taken = await send(admin, 'DELETE', `/admin/users/${ann.user_id}/roles/${assignment_id}`);
    expect(taken.status).toBe(202);
    expect((await approve(second, taken.body)).status).toBe(200);
    await drive.settled(taken.body.id, 'executed');

    // Behind Ann alone, one would stand behind whom Ann has let in, and so tie that administrator to oneself.
    const { headers } = await shown(`/admin/users/${ann.user_id}`);
    const changed = await send(admin, 'PUT', `/admin/users/${ann.user_id}`, { phone_number: '+4915112345678' }, { 'if-match': headers.get('etag') ?? '' });
    expect(changed).toMatchObject({ status: 202, body: { action: 'user.update' } });
  });
});

describe('T-8: the first days of a tenant', () => {
  it('one person rules alone, and nothing done then counts as two; a confirmation by a third who is apart ends it', async () => {
    const { tenant_id, admin: boss } = await secondTenant(app);
    const [superAdmin] = await roleIds(app, boss, ['role-super-admin']);
    const puppet = await made(boss, [superAdmin ?? '']);
    const flag = (person: Person) =>
      send(person, 'POST', '/admin/feature-flags', {
        key: uniqueName('flag'), environment: 'production', value_type: 'boolean', variants: { on: true, off: false },
        enabled: false, on_variant: 'on', off_variant: 'off', rollout_percentage: 0,
      });
    for (const person of [boss, puppet]) {
      const refused = await flag(person);
      expect(refused).toMatchObject({ status: 409, body: { code: 'approval.no-second-person', ways_out: ['confirm', 'name_second', 'ask_platform'] } });
    }
    const other = await made(boss, [superAdmin ?? '']);
    // Two puppets of one maker confirm nothing of each other.
    expect((await confirm(other, puppet.user_id)).body.code).toBe('account.not-apart');
    // Somebody whom nobody inside has made: the operator, or the platform, has named them.
    const outsider = await makePerson(app, tenant_id, 'role-super-admin');
    expect((await confirm(outsider, puppet.user_id)).status).toBe(204);
    const opened = await flag(boss);
    expect(opened.status).toBe(202);
    expect((await send(puppet, 'POST', `/admin/approvals/${opened.body.id}/approve`, { digest: opened.body.digest })).body.status).toBe('approved');
    // From now on there is a pair, and a fourth takes two.
    const fourth = { full_name: 'Fourth', email: `${uniqueName('fourth')}@people.test`, roles: [{ role_id: superAdmin }] };
    expect((await send(boss, 'POST', '/admin/users', fourth)).status).toBe(202);
  });

  it('somebody who was named from outside decides once the others could object', async () => {
    const named = await makePerson(app, defaultTenantId, 'role-super-admin');
    await asSuperuser(app, "update users set decisions_count_from = now() + interval '72 hours' where id = $1", [named.user_id]);
    const request = await drive.opened('named');
    expect((await approve(named, request)).body).toMatchObject({ code: 'tenant.naming-waits', counts_from: expect.any(String) });
    await asSuperuser(app, 'update users set decisions_count_from = now() where id = $1', [named.user_id]);
    expect((await approve(named, request)).body.status).toBe('approved');
  });
});

describe('T-10: what weakens a gate passes the gate that it weakens', () => {
  const administrators = { name: 'administrator', roles: ['role-super-admin', 'role-provider-admin'], quorum: 1 };

  it('holds floors whatever is written', async () => {
    const written = (action: string, gate: string) => drive.putPolicy({ action, environment: 'any', gate, steps: [] });
    for (const action of ['role.create', 'role.update-permissions', 'user.delete', 'queue.clean', 'user.assign-role', 'integration.rotate-key']) {
      expect([action, (await written(action, 'none')).body.errors]).toMatchObject([action, [{ pointer: '/gate' }]]);
    }
    expect((await written('person.erase', 'mfa')).body.errors).toMatchObject([{ pointer: '/gate' }]);
    expect((await written('approval-policy.save', 'none')).body.errors).toMatchObject([{ pointer: '/action' }, { pointer: '/gate' }]);
  });

  it('asks for the approval that it would take away, by PUT, by DELETE and through another environment', async () => {
    const place = { action: 'campaign.delete', environment: 'any' };
    const saved = await drive.putPolicy({ ...place, steps: [administrators] });
    expect(saved.status).toBe(200);
    const { id } = saved.body;
    const weaker = await drive.putPolicy({ ...place, gate: 'none', steps: [], version: 1 });
    expect(weaker).toMatchObject({ status: 202, body: { action: 'approval-policy.save' } });
    const oneOf = { ...place, steps: [{ ...administrators, roles: [...administrators.roles, 'role-regional-manager'] }], version: 1 };
    expect((await drive.putPolicy(oneOf)).status).toBe(202);
    expect((await drive.putPolicy({ ...place, environment: 'production', gate: 'none', steps: [] })).status).toBe(202);
    const removed = await send(admin, 'DELETE', `/admin/approval-policies/${id}`, undefined, { 'if-match': '"1"' });
    expect(removed.status).toBe(202);
    expect((await approve(second, removed.body)).status).toBe(200);
    await drive.settled(removed.body.id, 'executed');
    expect((await shown('/admin/approval-policies?action=campaign.delete')).body.items).toEqual([]);
    expect((await approve(second, weaker.body)).body.code).toBe('approval.stale');
  });

  it('sees what is weakened of approvals that changes demand, whatever gate is written, and of no other place', async () => {
    const same = { action: 'user.assign-role', environment: 'production', steps: [administrators] };
    expect((await drive.putPolicy(same)).status).toBe(200);
    const lax = { ...administrators, roles: [...administrators.roles, 'role-regional-manager'] };
    for (const more of [{ steps: [lax] }, { gate: 'mfa', steps: [], bypassers: [admin.user_id] }, { steps: [administrators], independence_days: 7 }]) {
      const weaker = await drive.putPolicy({ action: 'user.assign-role', environment: 'any', ...more });
      expect(weaker).toMatchObject({ status: 202, body: { policy: { steps: [{ roles: administrators.roles }], bypassers: [] } } });
    }
    await drive.dropPolicy('user.assign-role');
  });

  it('has one schema and one choice of approvers, by whichever way a policy is asked for', async () => {
    const whole = {
      operation: 'save', action: 'flag.create', environment: 'production', gate: 'approval', steps: [{ ...administrators, users: [] }],
      review_window_seconds: 60, execution_window_seconds: 3_600, reminder_interval_seconds: 0, bypass_review_seconds: 3_600,
      independence_days: 30, bypassers: [], version: 0,
    };
    const short = await send(admin, 'POST', '/admin/approvals', { action: 'approval-policy.save', payload: whole });
    expect(short).toMatchObject({ status: 422, body: { errors: [{ pointer: '/payload/review_window_seconds' }] } });
    // A request that a lax policy approves is not edited into one that a strict policy has to approve.
    const lax = { ...administrators, roles: ['role-regional-manager', 'role-super-admin'], users: [] };
    await drive.setPolicy({ action: 'contact.delete', steps: [lax] });
    const [{ id }] = (await shown('/admin/approval-policies?action=contact.delete')).body.items;
    const removal = await send(admin, 'DELETE', `/admin/approval-policies/${id}`, undefined, { 'if-match': '"1"' });
    expect(removal.body.policy.steps).toMatchObject([{ roles: lax.roles }]);
    const payload = { ...whole, action: 'person.erase', environment: 'any', review_window_seconds: 3_600, steps: [lax], bypassers: [admin.user_id] };
    const edited = await drive.say(admin, 'edit', removal.body, { digest: removal.body.digest, payload });
    expect(edited).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
    await drive.dropPolicy('contact.delete');
  });

  it('is not replaced by one vote because one person has tied somebody who decides nothing', async () => {
    const four = await Promise.all([1, 2, 3, 4].map(() => makePerson(app, defaultTenantId, 'role-super-admin')));
    const users = four.map(({ user_id }) => user_id);
    const place = { action: 'contact.delete', environment: 'any' } as const;
    const two = { name: 'two', roles: [], users, quorum: 2 };
    expect((await drive.putPolicy({ ...place, steps: [two] })).status).toBe(200);
    const role = await createRole(app, { permissions: ['profile:read', 'contact:read', 'contact:delete', 'approval:request'] });
    const junior = await made(four[0]!, [role.id]);
    const { headers } = await shown(`/admin/users/${junior.user_id}`);
    const tied = await send(four[1]!, 'PUT', `/admin/users/${junior.user_id}`, { phone_number: '+4915198765432' }, { 'if-match': headers.get('etag') ?? '' });
    expect(tied.status).toBe(200);
    const weaker = await drive.putPolicy({ ...place, steps: [{ ...two, quorum: 1 }], version: 1 });
    expect(weaker).toMatchObject({ status: 202, body: { policy: { steps: [{ quorum: 2, users }] } } });
    await drive.dropPolicy(place.action);
  });

  it('refuses a policy that could put itself out of action', async () => {
    const only = { name: 'one', roles: [], users: [second.user_id], quorum: 1 };
    const refused = await drive.putPolicy({ action: 'contact.delete', environment: 'any', steps: [only] });
    expect(refused.body.errors).toEqual([{ pointer: '/steps', detail: expect.stringContaining('Without Second Administrator this could not be met') }]);
  });

  it('T-10: the steps of a policy whose own gate is a factor are judged, too, because what is changed may ask for approval by them', async () => {
    const nobody = { name: 'nobody', roles: ['no-such-role'], users: [], quorum: 20 };
    for (const gate of ['mfa', 'none']) {
      const answer = await drive.putPolicy({ action: 'queue.clean', environment: 'any', gate, steps: [administrators, nobody] });
      expect(answer).toMatchObject({ status: 422, body: { code: 'request.invalid' } });
      expect(answer.body.errors.some(({ pointer }: { pointer: string }) => pointer.startsWith('/steps'))).toBe(true);
    }
  });
});

describe('T-15: what approvers do not see is in no payload', () => {
  it.each([
    ['user.create', { full_name: 'Ghost', email: 'ghost@people.example', password_hash: 'not-a-hash' }, ['/payload/password_hash']],
    [
      'integration.configure',
      {
        integration_id: '00000000-0000-4000-8000-0000000000aa',
        version: 1,
        config: { kind: 'webhook_source', id_pointer: '/id' },
        replaces_secret: true,
        sealed: { ciphertext: 'dev:AAAA', fingerprint: 'dev:0000' },
      },
      ['/payload/sealed', '/payload/replaces_secret'],
    ],
  ])('%s', async (action, payload, pointers) => {
    const answer = await callProven(app, admin, 'POST', '/admin/approvals', { body: { action, payload } });
    expect(answer).toMatchObject({ status: 422, body: { code: 'request.invalid' } });
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(pointers);
  });
});

describe('T-12: votes of distinct people are enough for every step', () => {
  it('refuses a vote that a later step needs, and lets a vote be withdrawn before the quorum', async () => {
    const roles = ['role-super-admin', 'role-provider-admin'];
    await drive.setPolicy({
      steps: [
        { name: 'first', roles, users: [], quorum: 1 },
        { name: 'security', roles: [], users: [second.user_id], quorum: 1 },
      ],
    });
    const request = await drive.opened('ordered-steps');
    expect(await approve(second, request)).toMatchObject({ status: 409, body: { code: 'approval.needed-later' } });
    expect((await drive.say(provider, 'withdraw', request, {})).body.code).toBe('approval.no-vote');
    expect((await approve(provider, request)).body).toMatchObject({ status: 'pending', open_step: 1 });
    expect((await drive.say(provider, 'withdraw', request, { reason: 'too early' })).body).toMatchObject({ status: 'pending', open_step: 0 });
    expect((await drive.detail(request.id)).decisions).toMatchObject([{ void_reason: 'withdrawn' }]);
    expect((await approve(provider, request)).body.open_step).toBe(1);
    expect((await approve(second, request)).body.status).toBe('approved');
    expect((await drive.say(provider, 'withdraw', request, {})).status).toBe(409);
    await drive.settled(request.id, 'executed');
    await drive.dropPolicy();
  });
});

describe('T-13, T-14, T-15: what people see and are asked', () => {
  it('T-13: one change waits once, whoever asks, also at one time', async () => {
    await drive.productionFlag('asked-twice');
    const answers = await Promise.all([drive.requestToggle('asked-twice'), drive.requestToggle('asked-twice'), toggle(second, 'asked-twice')]);
    const opened = answers.find(({ status }) => status === 202);
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409]);
    for (const { body } of answers.filter(({ status }) => status === 409)) {
      expect(body).toMatchObject({ code: 'approval.identical-open', approval_id: opened?.body.id });
    }
  });

  it('T-13: a person has at most twenty requests open', async () => {
    const eager = await makePerson(app, defaultTenantId, 'role-provider-admin');
    await asSuperuser(
      app,
      `insert into admin_approvals (id, tenant_id, action, environment, digest, requested_by, policy, review_due_at, workflow_id)
       select gen_random_uuid(), tenant_id, action, environment, digest, $1, policy, review_due_at, 'none'
       from admin_approvals, generate_series(1, 20) where id = (select id from admin_approvals limit 1)`,
      [eager.user_id],
    );
    await drive.productionFlag('one-too-many');
    expect(await toggle(eager, 'one-too-many')).toMatchObject({ status: 429, body: { code: 'approval.too-many-open' } });
    await asSuperuser(app, "update admin_approvals set status = 'cancelled', closed_at = now() where workflow_id = 'none'");
  });

  it('T-14: what is refused anyway is refused without asking for a factor, and nothing is kept of the trial', async () => {
    const request = await drive.opened('factor-last');
    const bare = (person: Person, method: string, path: string, body?: object, headers = {}) => app.call(method, path, { token: person.token, body, headers });
    const own = await bare(admin, 'POST', `/admin/approvals/${request.id}/approve`, { digest: request.digest });
    expect(own.body.code).toBe('approval.own-request');
    expect((await bare(provider, 'POST', `/admin/approvals/${request.id}/approve`, { digest: 'f'.repeat(64) })).body.code).toBe('approval.digest-mismatch');
    const taken = { full_name: 'Again', email: admin.email };
    expect((await bare(admin, 'POST', '/admin/users', taken)).body.code).toBe('resource.conflict');
    const unknown = '11111111-1111-4111-8111-111111111111';
    expect((await bare(admin, 'PUT', `/admin/users/${unknown}`, { full_name: 'X' }, { 'if-match': '"1"' })).status).toBe(404);
    const count = async () => (await asSuperuser<{ n: string }>(app, 'select (select count(*) from users) + (select count(*) from audit_logs) as n'))[0]?.n;
    const before = await count();
    const fine = await bare(admin, 'POST', '/admin/users', { full_name: 'Not Yet', email: `${uniqueName('not-yet')}@people.test` });
    expect(fine.body.code).toBe('mfa.required');
    // The refusal for want of a factor is audited; the account that was tried is not there.
    expect(Number(await count()) - Number(before)).toBeLessThanOrEqual(1);
    expect(await asSuperuser(app, "select id from users where full_name = 'Not Yet'")).toEqual([]);
  });

  it('T-15: approvers read names, before and after, who asked, until when, and a link; frozen at the opening', async () => {
    const victim = await makePerson(app, defaultTenantId, 'role-provider-admin');
    await asSuperuser(app, "update users set full_name = 'Vera Victim' where id = $1", [victim.user_id]);
    const etag = (await shown(`/admin/users/${victim.user_id}`)).headers.get('etag') ?? '';
    const request = (await send(admin, 'DELETE', `/admin/users/${victim.user_id}?reason=left`, undefined, { 'if-match': etag })).body;
    await asSuperuser(app, "update users set full_name = 'Renamed' where id = $1", [victim.user_id]);
    expect(await drive.detail(request.id)).toMatchObject({
      description: 'Delete the user Vera Victim.',
      changes: [{ field: 'user', before: 'Vera Victim', after: null }],
      requested_by_name: 'Super Administrator',
      names: { [admin.user_id]: 'Super Administrator' },
    });
    const [mail] = await eventually(
      () => mailsTo(second.email),
      (mails) => mails.some(({ body }) => body.includes(request.id)),
    );
    expect(mail?.body).toContain('Delete the user Vera Victim.');
    expect(mail?.body).toContain('Requested by Super Administrator: left');
    expect(mail?.body).toContain(`/admin/approvals/${request.id}`);
    expect(mail?.body).toContain('It can be decided until');
  });
});

describe('T-16: the list of gates', () => {
  it('is true for every operation: floors, defaults, and what a gate depends on', async () => {
    const { items } = (await shown('/admin/approvals/gates')).body;
    const gate = (operation_id: string) => items.find((item: { operation_id: string }) => item.operation_id === operation_id);
    expect(gate('proposeConfigChange')).toMatchObject({ gate: 'policy', action: 'config.apply', floor_by_environment: { production: 'approval', staging: 'none' } });
    expect(gate('rollbackConfig')).toMatchObject({ gate: 'policy', action: 'config.rollback', depends_on: ['rollback_target'] });
    expect(gate('assignUserRole')).toMatchObject({ gate: 'policy', action: 'user.assign-role', depends_on: ['decider', 'eligible', 'pair'], default_by_environment: { any: 'mfa' } });
    expect(gate('putApprovalPolicy')).toMatchObject({ gate: 'policy', action: 'approval-policy.save', depends_on: ['weaker'] });
    expect(gate('erasePerson')).toMatchObject({ floor_by_environment: { any: 'approval' } });
    expect(gate('login')).toMatchObject({ gate: 'none', action: null, by_environment: null });
    for (const route of app.api.deps.routes) {
      if (route.method === 'get') continue;
      const declared = typeof route.gate === 'string' ? (route.resolvesGateOf ?? null) : route.gate.action;
      expect([route.operationId, gate(route.operationId).action]).toEqual([route.operationId, declared]);
    }
  });

  it('says the same of every operation as the OpenAPI document (S2-68)', async () => {
    const { items } = (await shown('/admin/approvals/gates')).body;
    const listed = items.map((item: Record<string, string>) => [
      `${item.method} ${item.path!.replaceAll(/:(\w+)/g, '{$1}')}`,
      item.gate === 'policy' ? `policy:${item.action}` : item.gate,
    ]);
    const { paths } = (await app.call('GET', '/openapi.json')).body as { paths: Record<string, Record<string, Record<string, string>>> };
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    );
    // The list has each operation once; the document has it under every spelling of its path.
    const gates = new Map<string, string>(listed);
    const own = documented.filter(([, { operationId }]) => !operationId!.endsWith('Alias'));
    const changing = own.filter(([name]) => !name.startsWith('GET '));
    expect(new Map(changing.map(([name, operation]) => [name, operation['x-gate']]))).toEqual(gates);
    const byId = new Map(own.map(([, operation]) => [operation.operationId, operation['x-gate']]));
    for (const [, operation] of documented) {
      expect([operation.operationId, operation['x-gate']]).toEqual([operation.operationId, byId.get(operation.operationId!.replace(/Alias$/, ''))]);
    }
    expect(gates.get('POST /auth/factor-recovery')).toBe('policy:user.reset-factor');
  });
});
