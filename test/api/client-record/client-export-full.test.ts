import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalStage } from '../../support/approval-stage.ts';
import type { Answer, SignedIn } from '../../support/api.ts';
import { maskOf } from '../../support/document-numbers.ts';
import { keepCpf } from '../../support/drivers/client-record.ts';
import { createClientRecord, someCpf } from '../../support/factories/client-record.ts';
import { createRole, createRoleAssignment } from '../../support/factories/identity.ts';
import { makePerson } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let stage: ApprovalStage;

beforeAll(async () => {
  stage = await startApprovalStage();
  await keepCpf(stage.app);
});

afterAll(() => stage.close());

const path = '/api/v1/clients/exports';
const ask = (body: unknown, person: SignedIn = stage.admin): Promise<Answer> => callProven(stage.app, person, 'POST', path, { body });
const get = (url: string, { token }: SignedIn): Promise<Answer> => stage.app.call('GET', url, { token });
const own = async (person: SignedIn) => (await get(path, person)).body.items;

async function personWith(permissions: string[]): Promise<SignedIn> {
  const person = await makePerson(stage.app, defaultTenantId, null);
  const role = await createRole(stage.app, { permissions });
  await createRoleAssignment(stage.app, { user_id: person.user_id, role_id: role.id });
  return person;
}

describe('an export with full CPF', () => {
  it('waits for somebody else, and is then for its requester alone', async () => {
    const { admin, second, drive, app } = stage;
    const [person, company] = [await createClientRecord(app, { cpf: someCpf() }), await createClientRecord(app, { kind: 'company', name: 'Padaria Sol', cpf: null, birth_date: null })];
    const opened = await ask({ filters: { kind: 'person', created_by: null, created_from: '2020-01-01T00:00:00Z' }, reason: 'Audit of 2026' });
    expect(opened).toMatchObject({ status: 202, body: { action: 'client.export-full', status: 'pending' } });
    const request = await drive.detail(opened.body.id);
    expect(request.description).toBe(
      'Export client records of persons with their full CPF, those that match the filters: 1 at present. The requester can fetch the file for a day.',
    );
    expect(request.changes).toEqual([{ field: 'created from', before: null, after: '2020-01-01T00:00:00Z' }]);
    expect(JSON.stringify(request)).not.toContain(person.name);
    expect(await own(admin)).toEqual([]);
    expect((await drive.approve(admin, opened.body)).status).toBe(403);
    expect(await drive.approve(second, opened.body)).toMatchObject({ status: 200 });
    await drive.settled(opened.body.id, 'executed');
    const [approved] = await own(admin);
    expect(approved).toMatchObject({ approval_id: opened.body.id, state: 'available', reason: 'Audit of 2026', downloads: 0, last_downloaded_at: null });
    const life = Date.parse(approved.expires_at) - Date.parse(approved.created_at);
    expect(Math.round(life / 60_000)).toBe(24 * 60);
    const file = await get(`${path}/${approved.id}/file`, admin);
    expect(file.body).toContain(`${person.id},person,Some Client,${maskOf(person.cpf!)},`);
    expect(file.body).not.toContain(company.id);
    expect((await get(`${path}/${approved.id}/file`, second)).status).toBe(404);
    const log = await get(`/admin/audit-logs?resource_id=${approved.id}`, admin);
    expect(log.body.items.map(({ event }: { event: string }) => event)).toEqual(['client.export-full', 'client.export-approved']);
  });

  it('asked for by two people is two requests, each for one of them', async () => {
    const { admin, second } = stage;
    const body = { reason: 'both of us need it', filters: { kind: 'company' } };
    const answers = [await ask(body, admin), await ask(body, second)];
    expect(answers).toMatchObject([{ status: 202 }, { status: 202 }]);
    const foreign = { action: 'client.export-full', payload: { ...body, requested_by: second.user_id } };
    expect(await callProven(stage.app, admin, 'POST', '/admin/approvals', { body: foreign })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/payload/requested_by' }] },
    });
  });

  it('that is rejected gives nothing', async () => {
    const { admin, second, drive } = stage;
    const before = (await own(admin)).length;
    const opened = await ask({ reason: 'curious', filters: { state: 'deleted' } });
    expect(opened.status).toBe(202);
    expect(await ask({ reason: 'in other words', filters: { state: 'deleted' } })).toMatchObject({ status: 409, body: { code: 'approval.identical-open' } });
    const { id, digest } = opened.body;
    expect((await drive.say(second, 'reject', { id }, { digest, reason: 'no need' })).status).toBe(200);
    expect(await own(admin)).toHaveLength(before);
  });

  it('takes the right to export besides that to see numbers, also when it is carried out', async () => {
    const { second, drive, app } = stage;
    const body = { reason: 'a test', filters: { kind: 'company' } };
    const viewer = await personWith(['client:read', 'client:reveal-cpf']);
    expect(await app.call('POST', path, { token: viewer.token, body })).toMatchObject({ status: 403, body: { code: 'auth.forbidden', permission: 'client:export' } });
    const exporter = await personWith(['client:read', 'client:export']);
    expect(await app.call('POST', path, { token: exporter.token, body })).toMatchObject({ status: 403, body: { permission: 'client:reveal-cpf' } });
    const both = await personWith(['client:read', 'client:export', 'client:reveal-cpf']);
    const opened = await ask(body, both);
    expect(opened.status).toBe(202);
    await drive.whenApproved(opened.body.id, `update admin_roles set permissions = array_remove(permissions, ''client:export'') where id in (select role_id from admin_role_assignments where user_id = ''${both.user_id}'')`.replaceAll("''", "'"));
    await drive.approve(second, opened.body);
    await drive.settled(opened.body.id, 'failed');
    expect(await asSuperuser(app, 'select id from client_exports where requested_by = $1', [both.user_id])).toEqual([]);
  });

  it.each([
    ['/reason', {}],
    ['/reason', { reason: ' ' }],
    ['/filters/q', { reason: 'a test', filters: { q: 'Maria' } }],
    ['/filters/cpf', { reason: 'a test', filters: { cpf: '52998224725' } }],
    ['/filters/state', { reason: 'a test', filters: { state: 'erased' } }],
    ['/filters/created_by', { reason: 'a test', filters: { created_by: 'me' } }],
    ['/filters/created_to', { reason: 'a test', filters: { created_to: 'now' } }],
  ])('%s of %j is refused', async (pointer, body) => {
    const answer = await ask(body);
    expect(answer).toMatchObject({ status: 422, body: { code: 'request.invalid' } });
    expect(answer.body.errors.map((issue: { pointer: string }) => issue.pointer)).toContain(pointer);
  });

  it('a gate policy cannot take the second person away', async () => {
    const saved = await callProven(stage.app, stage.admin, 'PUT', '/admin/approval-policies', {
      body: { action: 'client.export-full', environment: 'any', gate: 'none', steps: [], version: 0 },
    });
    expect(saved.status).toBeGreaterThanOrEqual(400);
    expect((await ask({ reason: 'a test', filters: { kind: 'company', state: 'deleted' } })).status).toBe(202);
  });

  it('nothing personal is in the request’s workflow, and no number in a log of the audit', async () => {
    const cpf = someCpf();
    await createClientRecord(stage.app, { cpf, name: 'Canary Person' });
    const opened = await ask({ reason: 'a canary', filters: {} });
    await stage.drive.approve(stage.second, opened.body);
    await stage.drive.settled(opened.body.id, 'executed');
    const [approved] = await own(stage.admin);
    expect((await get(`${path}/${approved.id}/file`, stage.admin)).body).toContain(maskOf(cpf));
    const kept = await asSuperuser(
      stage.app,
      `select string_agg(t.row::text, '') as text from (
         select to_jsonb(e) as row from client_exports e union all select to_jsonb(a) from admin_approvals a
         union all select to_jsonb(p) from admin_approval_payloads p union all select to_jsonb(l) from audit_logs l) t`,
    );
    for (const secret of [cpf, maskOf(cpf), 'Canary Person']) expect(String(kept[0]!['text'])).not.toContain(secret);
  });
});
