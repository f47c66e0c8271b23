import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { startApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { integrationDriver, restConfig } from '../../support/drivers/integration.ts';
import { addContacts } from '../../support/drivers/assignment.ts';
import { uniqueName } from '../../support/factories/defaults.ts';
import { createRole, createRoleAssignment } from '../../support/factories/identity.ts';
import { KeyService } from '../../support/fakes/key-service.ts';
import { makePerson, secondTenant } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import type { Person } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let stage: ApprovalStage;
let app: TestApi;
let admin: SignedIn;
let second: SignedIn;
let drive: ApprovalDriver;
let service: KeyService;

beforeAll(async () => {
  service = await KeyService.start();
  stage = await startApprovalStage({ OUTBOUND_ALLOW: service.host });
  ({ app, admin, second, drive } = stage);
});

afterAll(async () => {
  await stage.close();
  await service.stop();
});

type Request = { id: string; digest: string };

const shown = (path: string, person: Person = admin) => app.call('GET', path, { token: person.token });

/** Changes something at the version that is there. */
async function change(person: Person, method: string, path: string, body?: object, of = path): Promise<Answer> {
  const etag = (await shown(of, person)).headers.get('etag') ?? '';
  return callProven(app, person, method, path, { body, headers: { 'if-match': etag } });
}

async function asked(person: Person, method: string, path: string, body?: object, of = path): Promise<Request> {
  const answer = await change(person, method, path, body, of);
  expect(answer).toMatchObject({ status: 202, body: { status: 'pending' } });
  return answer.body;
}

async function seenBy(person: Person, { id }: Request) {
  const { body } = await shown('/admin/approvals?status=pending&limit=100', person);
  return body.items.find((item: Request) => item.id === id);
}

async function executed(request: Request) {
  expect((await drive.detail(request.id)).is_stale).toBe(false);
  expect((await drive.approve(second, request)).body).toMatchObject({ status: 'approved' });
  return drive.settled(request.id, 'executed');
}

/** A request is told to be stale before the vote, is refused then, and can still be rejected. */
async function refusedAsStale(request: Request): Promise<void> {
  const seen = await seenBy(second, request);
  expect(seen).toMatchObject({ is_stale: true, can_decide: { allowed: false, code: 'approval.stale', detail: expect.stringContaining('changed since') } });
  expect(await drive.approve(second, request)).toMatchObject({ status: 409, body: { code: 'approval.stale' } });
  expect((await drive.say(second, 'reject', request, { digest: request.digest, reason: 'stale' })).body.status).toBe('rejected');
}

const peer = () => makePerson(app, defaultTenantId, 'role-provider-admin');

describe('R9, R10: whoever is concerned does not hold up what two others do', () => {
  it('deactivates somebody who goes on editing the own notes and name', async () => {
    const person = await peer();
    const path = `/admin/users/${person.user_id}`;
    const request = await asked(admin, 'PUT', path, { status: 'inactive' });
    for (const notes of ['one', 'two']) expect((await change(person, 'PUT', path, { notes, full_name: `Me ${notes}` })).status).toBe(200);
    expect(await seenBy(second, request)).toMatchObject({ is_stale: false, base_version: 1, current_version: 3, can_decide: { allowed: true } });
    await executed(request);
    expect((await shown(path)).body).toMatchObject({ status: 'inactive', notes: 'two', version: 4 });
  });

  it('changes a number and deletes an account in the same way', async () => {
    const person = await peer();
    const path = `/admin/users/${person.user_id}`;
    const number = await asked(admin, 'PUT', path, { phone_number: '+5511987654321' });
    const removal = await asked(admin, 'DELETE', path);
    expect((await change(person, 'PUT', path, { notes: 'mine', full_name: 'Somebody Else' })).status).toBe(200);
    await executed(number);
    await executed(removal);
    expect((await shown(path)).body).toMatchObject({ status: 'deleted', phone_number: '+5511987654321' });
  });

  it('is stale when what it replaces has changed: told in list and detail, refused, and rejected', async () => {
    const person = await peer();
    const path = `/admin/users/${person.user_id}`;
    const request = await asked(admin, 'PUT', path, { email: `${uniqueName('new')}@people.test`, notes: 'moved' });
    expect((await change(person, 'PUT', path, { notes: 'mine' })).status).toBe(200);
    await refusedAsStale(request);
  });

  it('fails at execution when what it replaces has changed since the last vote', async () => {
    const person = await peer();
    const request = await asked(admin, 'PUT', `/admin/users/${person.user_id}`, { status: 'inactive', job_title: 'None' });
    await drive.whenApproved(request.id, `insert into admin_users (tenant_id, user_id, job_title) values ('${defaultTenantId}', '${person.user_id}', 'Chief')`);
    expect((await drive.approve(second, request)).status).toBe(200);
    expect((await drive.settled(request.id, 'failed')).failure_code).toBe('approval.stale');
    expect((await shown(`/admin/users/${person.user_id}`)).body.status).toBe('active');
  });

  it('judges requests of an earlier release by the version, as that did', async () => {
    const person = await peer();
    const path = `/admin/users/${person.user_id}`;
    const request = await asked(admin, 'PUT', path, { status: 'inactive' });
    await asSuperuser(app, 'update admin_approvals set basis_digest = null, change_digest = null where id = $1', [request.id]);
    expect(await drive.detail(request.id)).toMatchObject({ is_stale: false });
    expect((await change(person, 'PUT', path, { notes: 'mine' })).status).toBe(200);
    await refusedAsStale(request);
  });

  it('takes a permission from a role that one of its holders renames', async () => {
    const permissions = ['profile:read', 'user:read', 'user:update', 'role:read', 'role:manage'] as const;
    const role = await createRole(app, { permissions: [...permissions], code: uniqueName('team') });
    const holder = await makePerson(app, defaultTenantId, null);
    await createRoleAssignment(app, { user_id: holder.user_id, role_id: role.id });
    const path = `/admin/roles/${role.id}`;
    const request = await asked(admin, 'PUT', `${path}/permissions`, { permissions: ['profile:read'] });
    expect((await change(holder, 'PUT', path, { name: 'Renamed', description: 'Mine' }, `${path}/permissions`)).status).toBe(200);
    await executed(request);
    const after = (await shown('/admin/roles')).body.items.find(({ id }: { id: string }) => id === role.id);
    expect(after).toMatchObject({ name: 'Renamed', permissions: ['profile:read'] });
  });

  it('suspends a tenant that goes on changing its own name', async () => {
    const other = await secondTenant(app);
    const suspended = await callProven(app, admin, 'POST', `/tenants/${other.tenant_id}/suspend`, { headers: { 'if-match': '"1"' }, body: { reason: 'unpaid' } });
    expect(suspended.status).toBe(202);
    expect((await change(other.admin, 'PUT', '/admin/tenant', { name: 'Another Name' })).status).toBe(200);
    await executed(suspended.body);
    expect((await app.call('GET', '/users/me', { token: other.admin.token })).status).toBe(401);
  });

  it('replaces the connection of an integration that is renamed, and tells when that connection has changed', async () => {
    const drives = integrationDriver(app, admin);
    const { id } = await drives.connected(service, restConfig(service), { environment: 'production' });
    const path = `/admin/integrations/${id}`;
    const secret = { config: restConfig(service), secret: 'a-new-secret-1' };
    const request = await asked(admin, 'PUT', `${path}/config`, secret, path);
    expect((await change(second, 'PATCH', path, { name: uniqueName('renamed') })).status).toBe(200);
    await executed(request);
    const late = await asked(admin, 'PUT', `${path}/config`, { ...secret, secret: 'a-new-secret-2' }, path);
    const probed = { config: restConfig(service, { records_path: '/others' }) };
    expect((await change(second, 'PUT', `${path}/config`, probed, path)).status).toBe(200);
    await refusedAsStale(late);
    const removal = await asked(admin, 'DELETE', path);
    expect((await change(second, 'PATCH', path, { name: uniqueName('renamed') })).status).toBe(200);
    await executed(removal);
  });

  it('deletes a contact that is edited, and replaces a policy whose steps are renamed', async () => {
    const steps = [{ name: 'administrator', roles: ['role-super-admin', 'role-provider-admin'], quorum: 1 }];
    const place = { action: 'contact.delete', environment: 'any' };
    expect((await drive.putPolicy({ ...place, steps })).status).toBe(200);
    const [contact] = await addContacts(app, 1);
    const path = `/api/admin/contacts/${contact}`;
    const removal = await asked(admin, 'DELETE', path);
    expect((await change(second, 'PUT', path, { notes: 'edited' })).status).toBe(200);
    await executed(removal);

    const weaker = await drive.putPolicy({ ...place, gate: 'none', steps: [], version: 1 });
    expect(weaker.status).toBe(202);
    const renamed = await drive.putPolicy({ ...place, steps: steps.map((step) => ({ ...step, name: 'renamed' })), review_window_seconds: 7200, version: 1 });
    expect(renamed.status).toBe(200);
    await executed(weaker.body);
    expect((await shown('/admin/approval-policies?action=contact.delete')).body.items).toMatchObject([{ gate: 'none', version: 3 }]);
  });
});

describe('S2-20: an address that may not be connected to is refused however the change is asked for', () => {
  it('by its own operation, by a request, by an edit; before a factor is asked for', async () => {
    const { id } = await integrationDriver(app, admin).connected(service, restConfig(service), { environment: 'production' });
    const path = `/admin/integrations/${id}`;
    const inside = restConfig({ url: 'https://10.0.0.7' });
    const refused = (answer: Answer, pointer: string) => expect(answer).toMatchObject({ status: 422, body: { code: 'request.invalid', errors: [{ pointer }] } });
    const bare = { token: admin.token, headers: { 'if-match': '"1"' }, body: { config: inside, secret: 'a-new-secret-1' } };
    refused(await app.call('PUT', `${path}/config`, bare), '/config/base_url');

    const payload = { integration_id: id, version: 1, replaces_secret: false, sealed: null };
    const body = { action: 'integration.configure', payload: { ...payload, config: inside } };
    refused(await app.call('POST', '/admin/approvals', { token: admin.token, body }), '/config/base_url');
    const asked = { action: 'integration.configure', payload: { ...payload, config: restConfig(service, { records_path: '/others' }) } };
    const opened = await callProven(app, admin, 'POST', '/admin/approvals', { body: asked });
    expect(opened.status).toBe(201);
    const edit = { token: admin.token, body: { digest: opened.body.digest, payload: body.payload, reason: null } };
    refused(await app.call('POST', `/admin/approvals/${opened.body.id}/edit`, edit), '/config/base_url');
    expect(await drive.detail(opened.body.id)).toMatchObject({ revision: 1, status: 'pending' });
  });
});

describe('R9, R10: a change is the same whatever its reason', () => {
  const switchOn = (person: Person, key: string, reason: string | null) =>
    callProven(app, person, 'POST', `/admin/feature-flags/${key}/toggle`, { body: { environment: 'production', enabled: true, version: 1, reason } });

  it('waits once, also when it is asked for with other words, by whomever and at one time', async () => {
    await drive.productionFlag('one-change');
    const answers = await Promise.all([switchOn(admin, 'one-change', 'a'), switchOn(second, 'one-change', 'b'), switchOn(second, 'one-change', null)]);
    const opened = answers.find(({ status }) => status === 202);
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409]);
    for (const { body } of answers.filter(({ status }) => status === 409)) {
      expect(body).toMatchObject({ code: 'approval.identical-open', approval_id: opened?.body.id });
    }
    const byName = await callProven(app, second, 'POST', '/admin/approvals', {
      body: { action: 'flag.toggle', payload: { key: 'one-change', environment: 'production', enabled: true, version: 1, reason: 'c' }, reason: 'd' },
    });
    expect(byName).toMatchObject({ status: 409, body: { code: 'approval.identical-open' } });
  });

  it('is not edited into one that waits already, and is edited into itself with another reason', async () => {
    const first = await drive.opened('edited-into');
    await drive.productionFlag('edited-from');
    const other = (await switchOn(admin, 'edited-from', 'x')).body;
    const payload = { environment: 'production', enabled: true, version: 1, reason: 'other words' };
    const edit = (request: Request, key: string) =>
      callProven(app, admin, 'POST', `/admin/approvals/${request.id}/edit`, { body: { digest: request.digest, payload: { ...payload, key } } });
    expect(await edit(other, 'edited-into')).toMatchObject({ status: 409, body: { code: 'approval.identical-open', approval_id: first.id } });
    expect(await edit(other, 'edited-from')).toMatchObject({ status: 200, body: { revision: 2 } });
    expect((await switchOn(second, 'edited-from', 'x')).body.code).toBe('approval.identical-open');
  });

  it('is refused by one person once, whatever the reason and the version of what it does not touch', async () => {
    await drive.productionFlag('one-no');
    const no = (request: Request) => drive.say(second, 'reject', request, { digest: request.digest, reason: 'no' });
    expect((await no((await switchOn(admin, 'one-no', 'a')).body)).body.status).toBe('rejected');
    const again = (await switchOn(admin, 'one-no', 'b')).body;
    expect((await no(again)).body.code).toBe('approval.rejected-before');

    const person = await peer();
    const path = `/admin/users/${person.user_id}`;
    expect((await no(await asked(admin, 'DELETE', `${path}?reason=a`, undefined, path))).body.status).toBe('rejected');
    expect((await change(person, 'PUT', path, { notes: 'another version' })).status).toBe(200);
    const removal = await asked(admin, 'DELETE', `${path}?reason=b`, undefined, path);
    expect((await no(removal)).body.code).toBe('approval.rejected-before');
    expect((await change(second, 'DELETE', `${path}?reason=c`, undefined, path)).body).toMatchObject({ code: 'approval.identical-open', approval_id: removal.id });
  });

  it('has the reasons inside of its payload left out too', async () => {
    const [provider] = await asSuperuser<{ id: string }>(app, "select id from admin_roles where code = 'role-provider-admin'");
    const email = `${uniqueName('made')}@people.test`;
    const make = (reason: string) =>
      callProven(app, admin, 'POST', '/admin/users', { body: { full_name: 'Made Twice', email, roles: [{ role_id: provider?.id, reason }] } });
    const first = await make('a');
    expect(first.status).toBe(202);
    expect(await make('b')).toMatchObject({ status: 409, body: { code: 'approval.identical-open', approval_id: first.body.id } });
  });
});
