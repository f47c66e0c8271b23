import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi } from '../../../src/api/server.ts';
import type { RunningApi } from '../../../src/api/server.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { installTemporalRuntime, startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { clientDataRequestWorkflowId } from '../../../src/workflows/client-record/client-data-request.contract.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { Recording, dumpTables, dumpWorkflows } from '../../support/dumps.ts';
import { maskOf } from '../../support/document-numbers.ts';
import { createContact } from '../../support/factories/assignment.ts';
import { someCpf } from '../../support/factories/client-record.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';

const recording = new Recording();
const clients = '/api/v1/clients';
const requests = '/api/v1/client-data-requests';

let app: TestApi;
/** A second process of the API at log level trace. */
let logged: RunningApi;
let worker: RunningWorker;
let admin: SignedIn;
let second: SignedIn;
let drive: ApprovalDriver;

beforeAll(async () => {
  const log = createLogger({ level: 'trace', name: 'data-requests', destination: recording });
  installTemporalRuntime(log);
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  logged = await startApi(app.env, log);
  worker = await startWorker(app.env, log);
  admin = await app.signIn('role-super-admin');
  second = await app.signIn('role-super-admin', 1);
  drive = approvalDriver(app, admin);
});

afterAll(async () => {
  await worker.close();
  await logged.close();
  await app.close();
});

const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  callApi(logged.url, method, path, { token: admin.token, ...(body === undefined ? {} : { body }), headers });
const plain = async (answer: Promise<Answer>, status = 200) => {
  const { status: got, body } = await answer;
  expect({ status: got, body }).toMatchObject({ status });
  return body;
};
const make = (more: Record<string, unknown> = {}) =>
  plain(call('POST', clients, { name: 'Iara Canary', cpf: someCpf(), birth_date: '1985-03-02', ...more }), 201);
const ask = (clientId: string, kind: 'access' | 'erasure', note: string | null = null) =>
  plain(call('POST', `${clients}/${clientId}/data-requests`, { kind, note }), 201);
const fulfil = ({ id }: { id: string }) => callProven(app, admin, 'POST', `${requests}/${id}/fulfil`);
const file = (id: string, format: 'json' | 'html') => call('GET', `${requests}/${id}/file?format=${format}`);

async function fulfilled(request: { id: string }): Promise<Answer> {
  const asked = await fulfil(request);
  expect(asked).toMatchObject({ status: 202, body: { status: 'pending', action: 'client.fulfil-request' } });
  expect((await drive.approve(admin, asked.body)).status).toBeGreaterThanOrEqual(403);
  expect((await drive.approve(second, asked.body)).status).toBe(200);
  await drive.settled(asked.body.id, 'executed');
  return asked;
}

const workflowOf = (id: string) =>
  app.api.deps.temporal.client.workflow.getHandle(clientDataRequestWorkflowId({ tenant_id: defaultTenantId, request_id: id }));

describe('an access request', () => {
  it('asks for a second factor and another person, then gives everything that is held, for seven days', async () => {
    const cpf = someCpf();
    const contact = await createContact(app, { name: 'Contact <b>Iara</b>', notes: 'likes "tea" & cake', created_by: admin.user_id });
    const client = await make({ name: 'Iara <script>alert(1)</script>', cpf, contact_id: contact.id, address: { line1: 'Rua "A" & Cia' } });
    await call('GET', `${clients}/${client.id}`);
    const request = await ask(client.id, 'access', 'came by letter');
    expect((await app.call('POST', `${requests}/${request.id}/fulfil`, { token: admin.token })).body).toMatchObject({
      code: 'mfa.required',
      action: 'client.fulfil-request',
    });
    const asked = await fulfil(request);
    const { description } = await drive.detail(asked.body.id);
    expect(description).toContain('Iara <script>');
    expect(description).not.toContain(client.id);
    expect((await plain(call('GET', `${requests}/${request.id}`))).open_approval_id).toBe(asked.body.id);
    expect((await file(request.id, 'json')).status).toBe(409);
    expect((await drive.approve(second, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed');
    const shown = await plain(call('GET', `${requests}/${request.id}`));
    expect(shown).toMatchObject({ status: 'fulfilled', approval_id: asked.body.id, open_approval_id: null });
    expect(Date.parse(shown.available_until) - Date.parse(shown.fulfilled_at)).toBe(7 * 86_400_000);
    expect(await workflowOf(request.id).result()).toEqual({ status: 'fulfilled' });

    const json = await file(request.id, 'json');
    expect(json.status).toBe(200);
    expect(json.headers.get('cache-control')).toBe('no-store');
    expect(json.headers.get('content-disposition')).toBe(`attachment; filename="client-data-${request.id}.json"`);
    expect(json.body.held.record).toMatchObject([{ id: client.id, cpf, name: 'Iara <script>alert(1)</script>', birth_date: '1985-03-02' }]);
    expect(json.body.held.contact).toMatchObject([{ id: contact.id, notes: 'likes "tea" & cake' }]);
    expect(json.body.held.prospect).toEqual([]);
    expect(json.body.held.merges).toEqual([]);
    expect(json.body.held.requests).toMatchObject([{ id: request.id, kind: 'access', note: 'came by letter' }]);
    expect(json.body.held.history.map(({ event }: { event: string }) => event)).toEqual(
      expect.arrayContaining(['client.create', 'client.read', 'client-data-request.open', 'client-data-request.fulfil']),
    );
    expect(json.body.held.history[0]).toMatchObject({ by: ['role-super-admin'], after: { birth_date: '1985-03-02' } });
    const [staff] = await asSuperuser<{ full_name: string; email: string }>(app, 'select full_name, email from users where id = $1', [admin.user_id]);
    for (const secret of [staff?.full_name, staff?.email, admin.user_id]) expect(JSON.stringify(json.body)).not.toContain(secret);

    const html = await file(request.id, 'html');
    expect(html.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const page: string = html.body;
    expect(page).toContain('Iara &lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).toContain('likes &quot;tea&quot; &amp; cake');
    expect(page).toContain(maskOf(cpf));
    expect(page).toContain('2 March 1985');
    expect(page).not.toMatch(/<script|<b>|https?:\/\/|\son\w+=/);
    const [, style = ''] = /<style>(.*)<\/style>/s.exec(page) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(html.headers.get('content-security-policy')).toContain(`default-src 'none'; style-src 'sha256-${hash}'`);
    expect(page).toContain(`sha256-${hash}`);

    const exports = await plain(call('GET', `/admin/audit-logs?resource_id=${client.id}&event=client-data-request.download`));
    expect(exports.items).toHaveLength(2);
    await asSuperuser(app, "update client_data_requests set available_until = now() - interval '1 second' where id = $1", [request.id]);
    expect(await file(request.id, 'html')).toMatchObject({ status: 410, body: { code: 'client.data-gone' } });
    expect(await fulfil(request)).toMatchObject({ status: 409, body: { code: 'client.request-closed' } });
  });

  it('gives what merges have replaced, and no client is merged while an answer waits to be decided', async () => {
    const [client, other] = [await make({ name: 'Iara Canary' }), await make({ name: 'Iara Former' })];
    const merge = async () =>
      call('POST', `${clients}/${client.id}/merge`, { merged_id: other.id, merged_version: 1, take: ['name'] }, { 'if-match': '"1"' });
    const request = await ask(other.id, 'access');
    const waiting = (await fulfil(request)).body;
    expect(await merge()).toMatchObject({ status: 409, body: { code: 'client.not-mergeable', approval_id: waiting.id } });
    expect((await drive.say(admin, 'cancel', waiting, { reason: 'merge first' })).status).toBe(200);
    const { merge: merged } = await plain(merge());
    expect(await plain(call('GET', `${requests}/${request.id}`))).toMatchObject({ client_id: client.id, client_name: 'Iara Former', status: 'open' });

    const asked = (await fulfil(request)).body;
    expect(await call('POST', `/api/v1/client-merges/${merged.id}/undo`)).toMatchObject({
      status: 409,
      body: { code: 'client.merge-not-undoable', approval_id: asked.id },
    });
    expect((await drive.approve(second, asked)).status).toBe(200);
    await drive.settled(asked.id, 'executed');
    const { held } = (await file(request.id, 'json')).body;
    expect(held.record.map(({ id }: { id: string }) => id)).toEqual([client.id, other.id]);
    expect(held.merges).toMatchObject([{ id: merged.id, former_values: { name: 'Iara Canary' } }]);
    expect((await file(request.id, 'html')).body).toContain('Name: Iara Canary');
  });

  it('is not fulfilled when it was withdrawn before the approval', async () => {
    const client = await make();
    const request = await ask(client.id, 'access');
    const asked = (await fulfil(request)).body;
    expect(await plain(call('POST', `${requests}/${request.id}/withdraw`))).toMatchObject({ status: 'withdrawn', open_approval_id: null });
    const [twin, tag] = [await make(), { 'if-match': '"1"' }];
    expect((await call('POST', `${clients}/${client.id}/merge`, { merged_id: twin.id, merged_version: 1 }, tag)).status).toBe(200);
    expect(await drive.approve(second, asked)).toMatchObject({ status: 409, body: { code: 'approval.stale' } });
    expect(await plain(call('GET', `${requests}/${request.id}`))).toMatchObject({ status: 'withdrawn', fulfilled_at: null });
    expect(await workflowOf(request.id).result()).toEqual({ status: 'withdrawn' });
    const wrong = { action: 'client.fulfil-request', payload: { request_id: request.id, client_id: (await make()).id, kind: 'erasure' } };
    expect((await callProven(app, admin, 'POST', '/admin/approvals', { body: wrong })).status).toBe(409);
  });
});

describe('a request for erasure', () => {
  it('erases the client and those merged into it; what refers to it stays, and the chain still verifies', async () => {
    const contact = await createContact(app, { name: 'Contact who stays', created_by: admin.user_id });
    const client = await make({ name: 'Zilda Vanish', email: 'zilda@vanish.example', phone_number: '+5511987650000', contact_id: contact.id, address: { line1: 'Rua Vanish, 1' } });
    const merged = await make({ name: 'Zilda Vanish Twin' });
    await asSuperuser(app, 'update clients set deleted_at = now(), merged_into_id = $2 where id = $1', [merged.id, client.id]);
    const before = await plain(call('GET', `/admin/audit-logs?resource_id=${client.id}&event=client.create`));
    const created = await plain(call('GET', `/admin/audit-logs/${before.items[0].id}`));
    expect(created.new_values.name).toBe('Zilda Vanish');

    const earlier = await ask(client.id, 'access', 'Zilda Vanish came');
    const earlierApproval = await fulfilled(earlier);
    expect((await file(earlier.id, 'json')).status).toBe(200);
    const key = { 'idempotency-key': randomUUID() };
    const again = async () => call('POST', `${clients}/${client.id}/data-requests`, { kind: 'access', note: 'Zilda Vanish again' }, key);
    const open = await plain(again(), 201);
    expect((await again()).body).toEqual(open);
    const openApproval = (await fulfil(open)).body;
    expect((await drive.detail(openApproval.id)).description).toContain('Zilda Vanish');
    const erasure = await ask(client.id, 'erasure', 'Zilda Vanish wants out');
    expect(erasure.contact).toMatchObject({ id: contact.id });
    const asked = await fulfilled(erasure);

    const shown = await plain(call('GET', `${clients}/${client.id}`));
    expect(shown).toMatchObject({ name: 'Erased person', cpf: null, birth_date: null, email: null, phone_number: null, address: null, is_active: false, contact_id: contact.id });
    expect(shown.erased_at).toEqual(expect.any(String));
    expect(await plain(call('GET', `${clients}/${merged.id}`))).toMatchObject({ name: 'Erased person', cpf: null, merged_into_id: client.id });
    expect((await plain(call('POST', `${clients}/search`, { q: 'zilda' }))).items).toEqual([]);
    expect((await call('POST', `${clients}/${client.id}/restore`, undefined, { 'if-match': `"${shown.version}"` })).body.code).toBe('client.not-restorable');
    expect(await plain(call('GET', `${requests}/${erasure.id}`))).toMatchObject({ status: 'fulfilled', note: null, client_name: 'Erased person' });
    expect(await plain(call('GET', `${requests}/${open.id}`))).toMatchObject({ status: 'withdrawn', note: null });
    expect(await workflowOf(open.id).result()).toEqual({ status: 'withdrawn' });
    expect((await file(earlier.id, 'json')).body.code).toBe('client.data-gone');
    expect(await again()).toMatchObject({ status: 410, body: { code: 'idempotency.answer-erased' } });
    const [stays] = await asSuperuser(app, 'select name, deleted_at from contacts where id = $1', [contact.id]);
    expect(stays).toEqual({ name: 'Contact who stays', deleted_at: null });

    expect(await plain(call('GET', `/admin/audit-logs/${created.id}`))).toMatchObject({ new_values: null, entry: created.entry, private: created.private });
    expect(await plain(call('GET', '/admin/audit-logs/verify'))).toMatchObject({ state: 'unanchored', findings: [] });
    const events = await plain(call('GET', `/admin/audit-logs?resource_id=${client.id}&event=client.erase`));
    expect(events.items).toHaveLength(1);
    const closed = await plain(call('GET', `/admin/approvals/${earlierApproval.body.id}`));
    expect(closed).toMatchObject({ payload: null, payload_erased_at: expect.any(String), digest: earlierApproval.body.digest });
    for (const { id } of [asked.body, openApproval]) expect(JSON.stringify(await plain(call('GET', `/admin/approvals/${id}`)))).not.toMatch(/zilda/i);
    const tables = await dumpTables(app.database.adminUrl);
    // What notifications have said ends with their own retention, and answers to repetitions within a day, sealed.
    const holding = [...tables].filter(([name, text]) => /zilda|vanish/i.test(text) && !/^notification_|^development_mails/.test(name));
    expect(holding.map(([name]) => name)).toEqual([]);

    expect(await call('POST', `${clients}/${client.id}/data-requests`, { kind: 'access' })).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
    expect((await fulfil(erasure)).status).toBe(409);
    expect((await drive.approve(second, openApproval)).status).toBe(409);
  });

  it('erases a company, and gives its number free', async () => {
    const client = await make({ kind: 'company', name: 'Vanish Ltda', cpf: null, birth_date: null, cnpj: '12ABC34501DE35' });
    await fulfilled(await ask(client.id, 'erasure'));
    expect(await plain(call('GET', `${clients}/${client.id}`))).toMatchObject({ name: 'Erased company', cnpj: null });
    await make({ kind: 'company', name: 'Next Ltda', cpf: null, birth_date: null, cnpj: '12ABC34501DE35' });
  });

  it('the CPF of a client is in no log, entry, approval, payload, workflow or notification, after access and erasure', async () => {
    const cpf = someCpf();
    const client = await make({ cpf, name: 'Canary Person' });
    const access = await ask(client.id, 'access', `asked for ${cpf}`);
    await fulfilled(access);
    const text = JSON.stringify((await file(access.id, 'json')).body);
    expect(text).toContain(cpf);
    const places = async () => {
      const tables = await dumpTables(app.database.adminUrl);
      const workflows = await dumpWorkflows(logged.deps.temporal.client, app.env.TEMPORAL_TASK_QUEUE);
      expect([...workflows.keys()]).toContain(`client-data-request/${defaultTenantId}/${access.id}`);
      expect(recording.text).toContain('/api/v1/client-data-requests/:request_id/file');
      const named = [['log', recording.text], ...tables, ...workflows] as [string, string][];
      return named.filter(([, content]) => content.includes(cpf) || content.includes(maskOf(cpf))).map(([name]) => name);
    };
    // While it is there it stands in the record, and in the note of whoever has written it down.
    expect((await places()).toSorted()).toEqual(['client_data_requests', 'clients']);
    await fulfilled(await ask(client.id, 'erasure'));
    expect(await places()).toEqual([]);
  });
});
