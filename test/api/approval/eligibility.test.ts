import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { startApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { uniqueName } from '../../support/factories/defaults.ts';
import { createRole, createRoleAssignment } from '../../support/factories/identity.ts';
import { makePerson, roleIds, testPassword } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let stage: ApprovalStage;
let app: TestApi;
let admin: SignedIn;
let second: SignedIn;
let provider: SignedIn;
let drive: ApprovalDriver;
/** A role that decides nothing, and that a policy may name. */
let treasury: { readonly id: string; readonly code: string };

beforeAll(async () => {
  stage = await startApprovalStage();
  ({ app, admin, second, provider, drive } = stage);
  treasury = await createRole(app, { code: uniqueName('treasury'), permissions: ['profile:read'] });
});

afterEach(() => drive.dropPolicy());

afterAll(() => stage.close());

const send = (method: string, path: string, body: object, headers?: Record<string, string>): Promise<Answer> =>
  callProven(app, admin, method, path, { body, ...(headers === undefined ? {} : { headers }) });

const assign = (userId: string, roleId: string, more: object = {}) => send('POST', `/admin/users/${userId}/roles`, { role_id: roleId, ...more });

const treasuryDecides = () => drive.setPolicy({ steps: [{ name: 'treasury', roles: [treasury.code], users: [], quorum: 1 }] });

const grantsOf = async (userId: string) =>
  (await app.call('GET', `/admin/account-acts?user_id=${userId}&state=open`, { token: admin.token })).body.items.filter(
    ({ kind }: { kind: string }) => kind === 'grant',
  );

const movedBelow = async (roleId: string, parent_role_id: string | null) => {
  const etag = (await app.call('GET', `/admin/roles/${roleId}/permissions`, { token: admin.token })).headers.get('etag') ?? '';
  return send('PUT', `/admin/roles/${roleId}`, { parent_role_id }, { 'if-match': etag });
};

describe('R5: nobody chooses alone who is asked', () => {
  it('takes two to give a role that a policy names, on every path, also to somebody who decides already', async () => {
    await treasuryDecides();
    expect(await assign(second.user_id, treasury.id)).toMatchObject({ status: 202, body: { action: 'user.assign-role' } });
    const heir = await createRole(app, { permissions: ['profile:read'], parent_role_id: treasury.id });
    expect(await assign(second.user_id, heir.id)).toMatchObject({ status: 202 });
    const made = { full_name: 'New Treasurer', email: `${uniqueName('new')}@people.test`, password: testPassword(), roles: [{ role_id: treasury.id }] };
    expect(await send('POST', '/admin/users', made)).toMatchObject({ status: 202, body: { action: 'user.create' } });

    const held = await createRole(app, { permissions: ['profile:read'] });
    await createRoleAssignment(app, { user_id: provider.user_id, role_id: held.id });
    expect(await movedBelow(held.id, treasury.id)).toMatchObject({ status: 202, body: { action: 'role.update' } });
    expect(await movedBelow(heir.id, null)).toMatchObject({ status: 202, body: { action: 'role.update' } });

    const soon = new Date(Date.now() + 86_400_000).toISOString();
    const lapsing = await createRoleAssignment(app, { user_id: provider.user_id, role_id: treasury.id, review_due_at: soon });
    const later = { review_due_at: new Date(Date.now() + 9 * 86_400_000).toISOString() };
    expect(await send('PUT', `/admin/users/${provider.user_id}/roles/${lapsing.id}/review`, later)).toMatchObject({ status: 202 });
  });

  it('asks for no approval where no policy names the role', async () => {
    const plain = await createRole(app, { permissions: ['profile:read'] });
    const person = await makePerson(app, defaultTenantId, 'role-junior-agent');
    expect((await assign(person.user_id, plain.id)).status).toBe(201);
    expect((await movedBelow((await createRole(app, { permissions: [] })).id, plain.id)).status).toBe(200);
    expect(await grantsOf(person.user_id)).toEqual([]);
  });

  it('goes on for a request that was opened under the policy, when the policy is gone', async () => {
    await createRoleAssignment(app, { user_id: second.user_id, role_id: treasury.id });
    await treasuryDecides();
    const request = await drive.opened(uniqueName('waiting'));
    await drive.dropPolicy();
    const person = await makePerson(app, defaultTenantId, 'role-junior-agent');
    const asked = await assign(person.user_id, treasury.id);
    expect(asked).toMatchObject({ status: 202 });
    expect((await drive.say(admin, 'cancel', asked.body, { reason: 'not now' })).status).toBe(200);
    expect((await drive.say(admin, 'cancel', request, { reason: 'not now' })).status).toBe(200);
    expect((await assign(person.user_id, treasury.id)).status).toBe(201);
  });

  it('does not count the vote of whoever the requester has made eligible', async () => {
    const role = await createRole(app, { permissions: ['profile:read'] });
    const [deciding] = await roleIds(app, admin, ['role-provider-admin']);
    const bob = await makePerson(app, defaultTenantId, 'role-junior-agent');
    await createRoleAssignment(app, { user_id: bob.user_id, role_id: deciding ?? '' });
    await drive.setPolicy({ steps: [{ name: 'holders', roles: [role.code], users: [], quorum: 1 }] });
    const asked = await assign(bob.user_id, role.id);
    expect((await drive.approve(second, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed');
    expect(await grantsOf(bob.user_id)).toMatchObject([{ actor_id: admin.user_id, approval_id: asked.body.id, detail: role.code }]);
    const own = await drive.requestToggle(await flagNamed('own'));
    expect(own.body.code).toBe('approval.policy-unsatisfiable');
  });

  it('a move of a role is an act on everybody who holds it', async () => {
    const held = await createRole(app, { permissions: ['profile:read'] });
    const person = await makePerson(app, defaultTenantId, 'role-provider-admin');
    await createRoleAssignment(app, { user_id: person.user_id, role_id: held.id });
    await treasuryDecides();
    const asked = await movedBelow(held.id, treasury.id);
    expect((await drive.approve(second, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed');
    expect(await grantsOf(person.user_id)).toMatchObject([{ actor_id: admin.user_id, approval_id: asked.body.id }]);
    expect(await grantsOf(second.user_id)).toEqual([]);
  });

  async function flagNamed(name: string): Promise<string> {
    const key = uniqueName(name);
    await drive.productionFlag(key);
    return key;
  }

  it('keeps such a role of an onboarding link waiting', async () => {
    await treasuryDecides();
    const recipient_email = `${uniqueName('linked')}@people.test`;
    const account = { roles: [{ role_id: treasury.id }] };
    const link = await send('POST', '/api/admin/onboarding/create-link', { recipient_name: 'Linked', recipient_email, purpose: 'joins', account });
    const completion = { answers: {}, password: testPassword() };
    expect((await app.call('POST', `/api/admin/onboarding/o/${link.body.token}/complete`, { body: completion })).status).toBe(200);
    const [row] = await asSuperuser<{ outcome: object }>(app, 'select outcome from onboarding_link where id = $1', [link.body.id]);
    expect(row?.outcome).toMatchObject({ roles_given: [], roles_waiting: [{ role_id: treasury.id }] });
  });

  it('T-16: the list of gates says so', async () => {
    const { items } = (await app.call('GET', '/admin/approvals/gates', { token: admin.token })).body;
    const conditions = new Map(items.map((item: { operation_id: string; depends_on: string[] }) => [item.operation_id, item.depends_on]));
    for (const operation of ['assignUserRole', 'createUser', 'reviewUserRole', 'updateRole']) expect(conditions.get(operation)).toContain('eligible');
    expect(conditions.get('revokeUserRole')).not.toContain('eligible');
  });
});

describe('what roles an account is made with', () => {
  it('asks for the right to assign roles, whether the account is made at once or by a request', async () => {
    const role = await createRole(app, { permissions: ['profile:read', 'user:read', 'user:create', 'approval:request', 'approval:read'] });
    const maker = await makePerson(app, defaultTenantId, null);
    await createRoleAssignment(app, { user_id: maker.user_id, role_id: role.id });
    const account = { full_name: 'Some Body', email: `${uniqueName('made')}@people.test`, roles: [{ role_id: role.id }] };
    const refused = { status: 403, body: { code: 'auth.forbidden', detail: 'Assigning roles needs the permission role:assign.' } };
    expect(await callProven(app, maker, 'POST', '/admin/users', { body: account })).toMatchObject(refused);
    const body = { action: 'user.create', payload: account, reason: 'needed' };
    expect(await callProven(app, maker, 'POST', '/admin/approvals', { body })).toMatchObject(refused);
    const { n } = (await asSuperuser<{ n: string }>(app, 'select count(*) as n from users where email = $1', [account.email]))[0] ?? {};
    expect(n).toBe('0');
  });
});
