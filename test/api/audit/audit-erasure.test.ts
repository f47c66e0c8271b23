import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyExportFile } from '../../../src/services/audit/audit-export-verification.service.ts';
import { parseVerifier } from '../../../src/services/audit/signed-note.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';

let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;
let approver: SignedIn;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-erasure-'));
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorker(app.env);
  admin = await app.signIn('role-super-admin');
  approver = await app.signIn('role-super-admin', 1);
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

const get = async (path: string) => (await app.call('GET', path, { token: admin.token })).body;

async function createPerson(name: string): Promise<{ id: string; version: number }> {
  const body = { full_name: name, email: `${name.toLowerCase().replace(' ', '.')}@example.com` };
  const { status, body: user } = await callProven(app, admin, 'POST', '/admin/users', { body });
  expect(status).toBe(201);
  return user;
}

async function deletePerson({ id, version }: { id: string; version: number }): Promise<void> {
  const { status } = await callProven(app, admin, 'DELETE', `/admin/users/${id}`, { headers: { 'if-match': `"${version}"` } });
  expect(status).toBe(204);
}

const erase = (id: string, body: object = { kind: 'user', reason: 'request of 21 November' }) =>
  callProven(app, admin, 'POST', `/admin/persons/${id}/erase`, { body });

/** The new values in the log entry of the person's creation. */
async function creationOf(id: string) {
  const { items } = await get(`/admin/audit-logs?resource_type=user&resource_id=${id}&event=user.create`);
  return get(`/admin/audit-logs/${items[0].id}`);
}

async function verifiedExport(format: 'csv' | 'jsonl') {
  const path = join(folder, `export.${format}`);
  const text: string = await get(`/admin/audit-logs/export?format=${format}`);
  await writeFile(path, text);
  const { public_keys } = await get('/admin/audit-logs/checkpoints/latest');
  return { text, report: await verifyExportFile(path, { verifiers: public_keys.map(parseVerifier) }) };
}

describe('data about persons in the log', () => {
  it('is sealed in the database, and shown to those who may read the log', async () => {
    const person = await createPerson('Greta Sealed');
    const stored = await asSuperuser<{ private: string; v: number }>(
      app,
      "select private::text as private, (entry ->> 'v')::int as v from audit_logs where resource_id = $1",
      [person.id],
    );
    expect(stored).toHaveLength(1);
    expect(stored[0]?.v).toBe(2);
    expect(stored[0]?.private).not.toMatch(/greta|127\.0\.0\.1/i);
    expect(await creationOf(person.id)).toMatchObject({
      ip: expect.stringMatching(/127\.0\.0\.1/),
      new_values: { full_name: 'Greta Sealed', email: 'greta.sealed@example.com' },
      proof: expect.anything(),
    });
    const { items } = await get(`/admin/audit-logs?resource_id=${person.id}`);
    expect(items[0].ip).toMatch(/127\.0\.0\.1/);
  });

  it('is readable in an export that verifies', async () => {
    for (const format of ['csv', 'jsonl'] as const) {
      const { text, report } = await verifiedExport(format);
      expect(report).toMatchObject({ valid: true, complete: true });
      if (format === 'csv') expect(text.includes('greta.sealed@example.com')).toBe(true);
    }
  });
});

describe('erasing a person (person.erase)', () => {
  it('requires the permission to delete users and a second factor, and a deactivated person', async () => {
    const person = await createPerson('Still Here');
    const agent = await app.signIn('role-junior-agent');
    const body = { kind: 'user', reason: 'r' };
    const path = `/admin/persons/${person.id}/erase`;
    expect((await app.call('POST', path, { token: agent.token, body })).status).toBe(403);
    expect((await app.call('POST', path, { body })).status).toBe(401);
    expect((await app.call('POST', path, { token: admin.token, body })).body.code).toBe('resource.conflict');
    expect((await app.call('POST', path, { token: admin.token, body: { kind: 'robot', reason: 'r' } })).status).toBe(422);
    expect(await erase(person.id)).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
    expect((await erase('00000000-0000-4000-8000-000000000000')).status).toBe(404);
    expect((await erase(person.id, { kind: 'contact', reason: 'r' })).status).toBe(404);
  });

  it('waits for approval, then makes the data about the person unreadable, and the chain still verifies', async () => {
    const person = await createPerson('Ida Leaving');
    await deletePerson(person);
    const other = await app.another();
    const elsewhere = (path: string) => callApi(other.url, 'GET', path, { token: admin.token });
    const before = await creationOf(person.id);
    expect(before.new_values.full_name).toBe('Ida Leaving');
    expect((await elsewhere(`/admin/audit-logs/${before.id}`)).body.new_values.full_name).toBe('Ida Leaving');

    const asked = await erase(person.id);
    expect(asked.status).toBe(202);
    const { id, digest } = asked.body;
    await callProven(app, approver, 'POST', `/admin/approvals/${id}/approve`, { body: { digest } });
    await eventually(
      () => get(`/admin/approvals/${id}`),
      ({ status }) => status === 'executed',
    );

    await eventually(
      () => elsewhere(`/admin/audit-logs/${before.id}`),
      ({ body }) => body.new_values === null,
    );
    const after = await creationOf(person.id);
    expect(after).toMatchObject({ new_values: null, entry: before.entry, private: before.private });
    expect(after.ip).toBe(before.ip);
    expect(await get('/admin/audit-logs/verify')).toMatchObject({ state: 'unanchored', findings: [] });
    for (const format of ['csv', 'jsonl'] as const) {
      const { text, report } = await verifiedExport(format);
      expect(report.valid).toBe(true);
      expect(/leaving/i.test(text)).toBe(false);
    }
    const account = await get(`/admin/users/${person.id}`);
    expect(JSON.stringify(account)).not.toMatch(/leaving/i);
    const { items } = await get('/admin/audit-logs?event=person.erase');
    expect(items).toMatchObject([{ resource_id: person.id, resource_type: 'person' }]);

    expect(await erase(person.id)).toMatchObject({ status: 409, body: { detail: expect.stringMatching(/was erased/) } });
    await expect(
      asSuperuser(app, "update audit_person_keys set key_ciphertext = 'x', destroyed_at = null where person_id = $1", [person.id]),
    ).rejects.toThrow(/does not come back/);
  });

  it('removes payload and reasons of closed requests that name the person, and keeps digest and decisions', async () => {
    const policy = { action: 'user.delete', environment: 'any', gate: 'approval', version: 0 };
    const steps = [{ name: 'admins', roles: ['role-super-admin'], users: [], quorum: 1 }];
    const written = await callProven(app, admin, 'PUT', '/admin/approval-policies', { body: { ...policy, steps } });
    expect(written.status).toBe(200);
    const person = await createPerson('Nora Named');
    const headers = { 'if-match': `"${person.version}"` };
    const remove = (reason: string) =>
      callProven(app, admin, 'DELETE', `/admin/users/${person.id}?reason=${encodeURIComponent(reason)}`, { headers });
    const refused = (await remove('Nora Named is rude')).body;
    const rejection = { digest: refused.digest, reason: 'Nora Named is not' };
    expect((await callProven(app, approver, 'POST', `/admin/approvals/${refused.id}/reject`, { body: rejection })).status).toBe(200);
    const granted = (await remove('Nora Named has left')).body;
    await callProven(app, approver, 'POST', `/admin/approvals/${granted.id}/approve`, { body: { digest: granted.digest } });
    const closed = (id: string, status: string) =>
      eventually(
        () => get(`/admin/approvals/${id}`),
        (request) => request.status === status,
      );
    expect(await closed(granted.id, 'executed')).toMatchObject({ payload: { user_id: person.id }, payload_erased_at: null });

    const asked = (await erase(person.id)).body;
    await callProven(app, approver, 'POST', `/admin/approvals/${asked.id}/approve`, { body: { digest: asked.digest } });
    await closed(asked.id, 'executed');
    for (const { id, digest, status } of [{ ...refused, status: 'rejected' }, { ...granted, status: 'executed' }]) {
      const request = await get(`/admin/approvals/${id}`);
      expect(request).toMatchObject({ digest, status, payload: null, payload_erased_at: expect.any(String), undo: null });
      expect(request.decisions).toMatchObject([{ approver_id: approver.user_id, reason: null }]);
      const history = await get(`/admin/approvals/history?approval_id=${id}`);
      expect(JSON.stringify([request, history])).not.toMatch(/nora/i);
    }
    const tables = ['payloads', 'decisions', 'history'].map((name) => `select t::text from admin_approval_${name} t`);
    const rows = await asSuperuser(app, `${tables.join(' union all ')} union all select t::text from admin_approvals t`);
    expect(JSON.stringify(rows)).not.toMatch(/nora/i);
    expect(await get('/admin/audit-logs/verify')).toMatchObject({ state: 'unanchored', findings: [] });
    await expect(
      asSuperuser(app, "begin; set local role castellan_app; select erase_approval_texts(gen_random_uuid())"),
    ).rejects.toThrow(/only what is said of an erased person/);
  });

  it('erases a deleted contact as well', async () => {
    const body = { name: 'Otto Contact', email: 'otto@example.com' };
    const { body: contact } = await callProven(app, admin, 'POST', '/api/admin/contacts', { body });
    expect(contact.id).toBeDefined();
    await asSuperuser(app, 'update contacts set deleted_at = now() where id = $1', [contact.id]);
    const path = `/admin/persons/${contact.id}/erase`;
    const request = { kind: 'contact', reason: 'asked for' };
    expect((await app.call('POST', path, { token: admin.token, body: request })).body).toMatchObject({
      code: 'mfa.required',
      action: 'person.erase',
    });
    const asked = (await erase(contact.id, request)).body;
    expect(asked).toMatchObject({ status: 'pending', action: 'person.erase' });
    await callProven(app, approver, 'POST', `/admin/approvals/${asked.id}/approve`, { body: { digest: asked.digest } });
    const closed = await eventually(() => get(`/admin/approvals/${asked.id}`), ({ status }) => status === 'executed');
    expect(closed.description).toBe('Permanently erase a deleted person.');
    const { items } = await get(`/admin/audit-logs?resource_type=contact&resource_id=${contact.id}`);
    const details = await get(`/admin/audit-logs/${items.at(-1).id}`);
    expect(details).toMatchObject({ event: 'contact.create', new_values: null });
    const [row] = await asSuperuser(app, 'select name, email from contacts where id = $1', [contact.id]);
    expect(row).toEqual({ name: 'Erased person', email: null });
    expect(await get('/admin/audit-logs/verify')).toMatchObject({ state: 'unanchored', findings: [] });
  });
});
