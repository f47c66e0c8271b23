import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { startApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import { uniqueName } from '../../support/factories/defaults.ts';
import { createRole, createRoleAssignment } from '../../support/factories/identity.ts';
import { makePerson } from '../../support/people.ts';
import { callProven, provenCall } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let stage: ApprovalStage;
let app: TestApi;
let admin: SignedIn;
let second: SignedIn;
let drive: ApprovalDriver;

beforeAll(async () => {
  stage = await startApprovalStage();
  ({ app, admin, second, drive } = stage);
});

afterAll(() => stage.close());

async function change(method: string, path: string, body: object, of: string): Promise<Answer> {
  const etag = (await app.call('GET', of, { token: admin.token })).headers.get('etag') ?? '';
  return callProven(app, admin, method, path, { body, headers: { 'if-match': etag } });
}

const matrix = (id: string) => `/admin/roles/${id}/permissions`;

async function take(id: string, taken: (permission: string) => boolean): Promise<Answer> {
  const { body } = await app.call('GET', matrix(id), { token: admin.token });
  return change('PUT', matrix(id), { permissions: body.permissions.filter((one: string) => !taken(one)) }, matrix(id));
}

const own = (permissions: readonly string[], parent_role_id: string | null = null) =>
  createRole(app, { permissions: [...permissions], parent_role_id, code: uniqueName('own') });

describe('R4: what a role that decides gives is changed by two', () => {
  it('takes no permission from a role that decides, by one person', async () => {
    const [provider] = await asSuperuser<{ id: string }>(app, "select id from admin_roles where code = 'role-provider-admin'");
    const asked = await take(provider?.id ?? '', (one) => /^(flag|config):/.test(one));
    expect(asked).toMatchObject({ status: 202, body: { action: 'role.update-permissions' } });
    expect((await drive.detail(asked.body.id)).can_decide.code).toBe('approval.own-request');
  });

  it('nor from a role that one which decides inherits from, at any distance; nor changes its parent', async () => {
    const base = await own(['profile:read', 'flag:read']);
    const middle = await own(['audit:read'], base.id);
    await own(['approval:decide'], middle.id);
    const other = await own(['audit:read']);
    expect((await take(base.id, (one) => one === 'flag:read')).status).toBe(202);
    expect(await change('PUT', `/admin/roles/${middle.id}`, { parent_role_id: other.id }, matrix(middle.id))).toMatchObject({ status: 202, body: { action: 'role.update' } });
    // Its name is no right, and a role that decides nothing takes one person.
    expect((await change('PUT', `/admin/roles/${middle.id}`, { name: 'Renamed' }, matrix(middle.id))).status).toBe(200);
    expect((await take(other.id, (one) => one === 'audit:read')).status).toBe(200);
  });
});

describe('R4: a request whose requester may not ask any more', () => {
  async function requestOfSomebody() {
    const role = await own(['profile:read', 'flag:read', 'flag:toggle', 'approval:request', 'approval:read']);
    const person = await makePerson(app, defaultTenantId, null);
    await createRoleAssignment(app, { user_id: person.user_id, role_id: role.id });
    const request = await approvalDriver(app, person).opened(uniqueName('left'));
    const set = (permissions: string[]) => asSuperuser(app, 'update admin_roles set permissions = $2 where id = $1', [role.id, permissions]);
    return { request, leaves: () => set(['profile:read', 'approval:request']), returns: () => set(['profile:read', 'flag:toggle']) };
  }

  it('says so to whoever could decide, and takes no vote and no emergency before the factor and after it', async () => {
    await drive.setPolicy({ bypassers: [second.user_id] });
    const { request, leaves, returns } = await requestOfSomebody();
    await drive.dropPolicy();
    const canDecide = async () => (await app.call('GET', `/admin/approvals/${request.id}`, { token: second.token })).body.can_decide;
    expect(await canDecide()).toMatchObject({ allowed: true });
    await leaves();
    const left = { code: 'approval.requester-left', detail: expect.stringContaining('may no longer make it') };
    expect(await canDecide()).toMatchObject({ allowed: false, ...left });
    const body = { digest: request.digest, reason: 'now' };
    for (const what of ['approve', 'break-glass']) {
      expect(await app.call('POST', `/admin/approvals/${request.id}/${what}`, { token: second.token, body })).toMatchObject({ status: 409, body: left });
    }
    await returns();
    expect((await drive.approve(second, request)).body.status).toBe('approved');
    await drive.settled(request.id, 'executed');
  });

  it('is judged in the transaction of the vote: the right is lost while the factor is proven', async () => {
    const { request, leaves } = await requestOfSomebody();
    const path = `/admin/approvals/${request.id}/approve`;
    const body = { digest: request.digest };
    const vote = await provenCall(app, second, 'POST', path, { body });
    await leaves();
    expect(await vote()).toMatchObject({ status: 409, body: { code: 'approval.requester-left' } });
    expect(await drive.detail(request.id)).toMatchObject({ status: 'pending', decisions: [] });
    expect((await drive.say(second, 'reject', request, { digest: request.digest, reason: 'left' })).body.status).toBe('rejected');
  });
});
