import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { startApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { addContacts, assignmentDriver } from '../../support/drivers/assignment.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
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
  for (const action of ['user.delete', 'role.create', 'role.update', 'role.update-permissions', 'role.delete']) {
    const written = await drive.putPolicy({ action, environment: 'any' });
    expect(written.status).toBe(200);
  }
});

afterAll(() => stage.close());

const etagOf = async (path: string) => (await app.call('GET', path, { token: admin.token })).headers.get('etag') ?? '';

describe('users and roles where the tenant asks for approval', () => {
  it('S2-7, S2-68: a deletion waits for another person, and is then made in the requester’s name', async () => {
    const applications = 'siem@apps.example';
    await callProven(app, admin, 'POST', '/admin/notifications/channels', {
      body: { kind: 'email', name: 'Applications', email: applications, events: ['session.revoked'] },
    });
    const person = await app.signIn('role-junior-agent');
    const contacts = await addContacts(app, 2);
    expect((await assignmentDriver(app, admin).give(person.user_id, contacts)).status).toBe(200);
    const path = `/admin/users/${person.user_id}`;
    const asked = await callProven(app, admin, 'DELETE', path, { headers: { 'if-match': await etagOf(path) } });
    expect(asked).toMatchObject({ status: 202, body: { action: 'user.delete', status: 'pending' } });
    expect((await app.call('GET', path, { token: admin.token })).body.status).toBe('active');
    expect((await drive.approve(second, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed');
    expect((await app.call('GET', path, { token: admin.token })).body).toMatchObject({ status: 'deleted', roles: [] });
    expect((await app.call('GET', '/users/me', { token: person.token })).status).toBe(401);
    // Connected applications are notified, so that they end their sessions too.
    const told = await eventually(
      () => asSuperuser<{ body: string }>(app, 'select body from development_mails where recipient = $1', [applications]),
      (mails) => mails.length > 0,
    );
    expect(told).toEqual([{ body: expect.stringContaining(person.user_id) }]);
    // Whoever makes the change, the person's contacts are reassigned; these have no campaign, so they wait.
    await eventually(
      () => asSuperuser(app, 'select 1 from assignment_queue where contact_id = any ($1) and left_at is null', [contacts]),
      ({ length }) => length === contacts.length,
    );
  });

  it('S2-12: a changed permission matrix names the request that allowed it', async () => {
    const roles = await app.call('GET', '/admin/roles', { token: admin.token });
    const support = roles.body.items.find(({ code }: { code: string }) => code === 'role-support-staff');
    const path = `/admin/roles/${support.id}/permissions`;
    const asked = await callProven(app, admin, 'PUT', path, {
      headers: { 'if-match': await etagOf(path) },
      body: { permissions: ['profile:read', 'user:read'], reason: 'less is enough' },
    });
    expect(asked).toMatchObject({ status: 202, body: { action: 'role.update-permissions' } });
    expect((await drive.approve(second, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed');
    const person = await app.signIn('role-support-staff');
    const rights = await app.call('GET', `/admin/users/${person.user_id}/rights`, { token: admin.token });
    expect(rights.body).toMatchObject({
      permissions: ['profile:read', 'user:read'],
      role_definitions: [{ code: 'role-support-staff', approval_id: asked.body.id, changed_by: admin.user_id }],
    });
  });

  it('S2-10, S2-71: creating a role, moving it below another one and deleting it wait for another person', async () => {
    const roleOf = async (code: string) => {
      const { body } = await app.call('GET', '/admin/roles', { token: admin.token });
      return body.items.find((role: { code: string }) => role.code === code);
    };
    const asked = await callProven(app, admin, 'POST', '/admin/roles', {
      body: { code: 'auditor', name: 'Auditor', permissions: ['audit:read'] },
    });
    expect(asked).toMatchObject({ status: 202, body: { action: 'role.create', status: 'pending' } });
    expect(await roleOf('auditor')).toBeUndefined();
    await drive.approve(second, asked.body);
    await drive.settled(asked.body.id, 'executed');
    const auditor = await roleOf('auditor');
    expect(auditor).toMatchObject({ permissions: ['audit:read'], parent_role_id: null });

    const parent = await roleOf('role-policyholder');
    const moved = await callProven(app, admin, 'PUT', `/admin/roles/${auditor.id}`, {
      headers: { 'if-match': `"${auditor.version}"` },
      body: { parent_role_id: parent.id },
    });
    expect(moved).toMatchObject({ status: 202, body: { action: 'role.update' } });
    await drive.approve(second, moved.body);
    await drive.settled(moved.body.id, 'executed');
    const inheriting = await roleOf('auditor');
    expect(inheriting.effective_permissions).toContain('claim:create');

    const { id, version, code, name, description, permissions, parent_role_id } = inheriting;
    const removal = await callProven(app, admin, 'DELETE', `/admin/roles/${id}`, {
      headers: { 'if-match': `"${version}"` },
    });
    expect(removal).toMatchObject({ status: 202, body: { action: 'role.delete' } });
    expect(await roleOf('auditor')).toBeDefined();
    await drive.approve(second, removal.body);
    await drive.settled(removal.body.id, 'executed');
    expect(await roleOf('auditor')).toBeUndefined();
    const { undo } = await drive.detail(removal.body.id);
    expect(undo).toEqual({ action: 'role.create', payload: { code, name, description, permissions, parent_role_id } });
  });

  it('S2-71: nobody can request permissions that they do not hold themselves', async () => {
    const roles = await app.call('GET', '/admin/roles', { token: admin.token });
    const junior = roles.body.items.find(({ code }: { code: string }) => code === 'role-junior-agent');
    const path = `/admin/roles/${junior.id}/permissions`;
    const asked = await callProven(app, provider, 'PUT', path, {
      headers: { 'if-match': await etagOf(path) },
      body: { permissions: ['tenant:manage'] },
    });
    expect(asked).toMatchObject({ status: 403, body: { code: 'role.grant-exceeds-own' } });
  });

  it('an approved deletion of a user cancels their open requests', async () => {
    const deactivated = await app.signIn('role-regional-manager');
    const [role] = await asSuperuser<{ id: string }>(app, "select id from admin_roles where code = 'role-provider-admin'");
    const given = await callProven(app, admin, 'POST', `/admin/users/${deactivated.user_id}/roles`, {
      body: { role_id: role?.id, reason: 'for this test' },
    });
    // The role decides, so that it takes two persons (R5).
    expect(given).toMatchObject({ status: 202, body: { action: 'user.assign-role' } });
    expect((await drive.approve(second, given.body)).status).toBe(200);
    await drive.settled(given.body.id, 'executed');
    const again = await app.signIn('role-regional-manager');
    const junior = (await app.call('GET', '/admin/users?role=role-policyholder', { token: admin.token })).body.items[0];
    const headers = { 'if-match': await etagOf(`/admin/users/${junior.id}`) };
    const waiting = await callProven(app, again, 'DELETE', `/admin/users/${junior.id}`, { headers });
    expect(waiting).toMatchObject({ status: 202, body: { status: 'pending' } });

    const path = `/admin/users/${deactivated.user_id}`;
    const asked = await callProven(app, admin, 'DELETE', path, { headers: { 'if-match': await etagOf(path) } });
    expect((await drive.approve(second, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed');
    await drive.settled(waiting.body.id, 'cancelled');
    expect(await drive.events(waiting.body.id)).toEqual(['opened', 'abort']);
  });

  it('deactivating a user cancels their open requests', async () => {
    const target = await app.signIn('role-senior-agent');
    const path = `/admin/users/${target.user_id}`;
    const asked = await callProven(app, provider, 'DELETE', path, { headers: { 'if-match': await etagOf(path) } });
    expect(asked.status).toBe(202);
    const own = `/admin/users/${provider.user_id}`;
    const off = await callProven(app, admin, 'PUT', own, {
      headers: { 'if-match': await etagOf(own) },
      body: { status: 'inactive' },
    });
    expect(off).toMatchObject({ status: 202, body: { action: 'user.update' } });
    expect((await drive.approve(second, off.body)).status).toBe(200);
    await drive.settled(off.body.id, 'executed');
    await drive.settled(asked.body.id, 'cancelled');
    expect((await app.call('GET', path, { token: admin.token })).body.status).toBe('active');
  });
});
