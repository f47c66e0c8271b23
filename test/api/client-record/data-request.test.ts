import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { createContact } from '../../support/factories/assignment.ts';
import { createClientRecord } from '../../support/factories/client-record.ts';
import { secondTenant } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';
import { asSuperuser } from '../../support/superuser.ts';

/** What needs no worker: requests are opened and closed by the API alone, and their workflows start when one comes. */
let app: TestApi;
let manager: SignedIn;
let other: OtherTenant;
let today: string;

beforeAll(async () => {
  app = await startTestApi();
  await asSuperuser(app, "update tenants set time_zone = 'America/Sao_Paulo' where id = $1", [defaultTenantId]);
  manager = await app.signIn('role-super-admin');
  other = await secondTenant(app);
  today = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/Sao_Paulo' }).format(new Date());
});

afterAll(async () => {
  await app.close();
});

const settingsPath = '/api/v1/client-settings';
const requestsPath = '/api/v1/client-data-requests';

function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, token = manager.token): Promise<Answer> {
  return app.call(method, path, { token, ...(body === undefined ? {} : { body }), headers });
}

const plusDays = (day: string, days: number) => new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10);
const ask = (clientId: string, body: unknown, headers: Record<string, string> = {}, token = manager.token) =>
  call('POST', `/api/v1/clients/${clientId}/data-requests`, body, headers, token);
/** Whether the workflow that watches over a request has been started. */
const isWatched = (id: string) =>
  eventually(
    () => app.api.deps.temporal.client.workflow.getHandle(`client-data-request/${defaultTenantId}/${id}`).describe().catch(() => null),
    (described) => described?.status.name === 'RUNNING',
  );

describe('a request of a client about their data', () => {
  it('is opened with the due date of the settings, shown, listed and closed', async () => {
    const contact = await createContact(app, { name: 'Contact of the client', created_by: manager.user_id });
    const client = await createClientRecord(app, { name: 'Dora Asks', contact_id: contact.id });
    const opened = await ask(client.id, { kind: 'access', note: 'came in person' });
    expect(opened).toMatchObject({
      status: 201,
      body: {
        client_id: client.id,
        client_name: 'Dora Asks',
        kind: 'access',
        status: 'open',
        received_on: today,
        due_on: plusDays(today, 15),
        days_left: 15,
        is_overdue: false,
        reminder_days: [5, 1],
        note: 'came in person',
        created_by: manager.user_id,
        contact: { id: contact.id, name: 'Contact of the client', deleted_at: null },
        prospect: null,
        open_approval_id: null,
      },
    });
    const one = `${requestsPath}/${opened.body.id}`;
    expect(opened.headers.get('location')).toBe(one);
    expect((await call('GET', one)).body).toEqual(opened.body);
    await isWatched(opened.body.id);

    const again = await ask(client.id, { kind: 'access' });
    expect(again).toMatchObject({ status: 409, body: { code: 'client.request-open', existing: { request_id: opened.body.id } } });
    expect((await ask(client.id, { kind: 'erasure' })).status).toBe(201);

    const refused = await call('POST', `${one}/refuse`, { reason: 'could not be identified' });
    expect(refused).toMatchObject({ status: 200, body: { status: 'refused', refusal_reason: 'could not be identified', days_left: null } });
    for (const verb of ['refuse', 'withdraw']) {
      const body = verb === 'refuse' ? { reason: 'again' } : undefined;
      expect(await call('POST', `${one}/${verb}`, body)).toMatchObject({ status: 409, body: { code: 'client.request-closed', request_status: 'refused' } });
    }
    expect((await ask(client.id, { kind: 'access' })).status).toBe(201);
  });

  it('keeps what people write out of entries that are not sealed under the key of the client', async () => {
    const client = await createClientRecord(app);
    const { body } = await ask(client.id, { kind: 'erasure', note: 'Note about Somebody' });
    expect((await call('POST', `${requestsPath}/${body.id}/withdraw`)).body.status).toBe('withdrawn');
    const rows = await asSuperuser<{ text: string }>(app, 'select a::text as text from audit_logs a where resource_id = $1', [client.id]);
    expect(rows).toHaveLength(2);
    expect(JSON.stringify(rows)).not.toContain('Somebody');
    const { items } = (await call('GET', `/admin/audit-logs?resource_id=${client.id}&event=client-data-request.open`)).body;
    const entry = await call('GET', `/admin/audit-logs/${items[0].id}`);
    expect(entry.body.new_values).toMatchObject({ request_id: body.id, kind: 'erasure', note: 'Note about Somebody' });
  });

  it('is opened once by parallel requests, and once for a key', async () => {
    const client = await createClientRecord(app);
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask(client.id, { kind: 'erasure' })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409, 409, 409]);
    const headers = { 'idempotency-key': randomUUID() };
    const [first, second] = [await ask(client.id, { kind: 'access' }, headers), await ask(client.id, { kind: 'access' }, headers)];
    expect(second).toMatchObject({ status: 201, body: first.body });
    const closings = await Promise.all([1, 2, 3].map(() => call('POST', `${requestsPath}/${first.body.id}/withdraw`)));
    expect(closings.map(({ status }) => status).toSorted()).toEqual([200, 409, 409]);
  });

  it('refuses what makes no sense, with a pointer', async () => {
    const client = await createClientRecord(app);
    const bad: [unknown, string][] = [
      [{}, '/kind'],
      [{ kind: 'copy' }, '/kind'],
      [{ kind: 'access', received_on: plusDays(today, 1) }, '/received_on'],
      [{ kind: 'access', received_on: '2026-02-30' }, '/received_on'],
      [{ kind: 'access', note: 'x'.repeat(501) }, '/note'],
      [{ kind: 'access', note: 7 }, '/note'],
    ];
    for (const [body, pointer] of bad) expect(await ask(client.id, body)).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
    const { body } = await ask(client.id, { kind: 'access' });
    expect((await call('POST', `${requestsPath}/${body.id}/refuse`, { reason: '' })).status).toBe(422);
    expect((await ask(randomUUID(), { kind: 'access' })).status).toBe(404);
    expect((await call('GET', `${requestsPath}/${randomUUID()}`)).status).toBe(404);
    const into = await createClientRecord(app);
    await asSuperuser(app, 'update clients set deleted_at = now(), merged_into_id = $2 where id = $1', [client.id, into.id]);
    const elsewhere = { status: 409, body: { code: 'resource.conflict', existing: { client_id: into.id } } };
    expect(await ask(client.id, { kind: 'erasure' })).toMatchObject(elsewhere);
    // What was held of it is in the other one now, which this request is not about.
    expect(await call('POST', `${requestsPath}/${body.id}/fulfil`)).toMatchObject(elsewhere);
    await asSuperuser(app, 'update clients set deleted_at = now(), erased_at = now(), cpf = null where id = $1', [into.id]);
    expect(await ask(into.id, { kind: 'access' })).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
  });

  it('is for those who answer requests, in their own tenant', async () => {
    const client = await createClientRecord(app);
    const { body } = await ask(client.id, { kind: 'access' });
    const one = `${requestsPath}/${body.id}`;
    const regional = await app.signIn('role-regional-manager');
    const calls: [string, string, unknown?][] = [
      ['POST', `/api/v1/clients/${client.id}/data-requests`, { kind: 'erasure' }],
      ['GET', requestsPath],
      ['GET', one],
      ['POST', `${one}/fulfil`],
      ['POST', `${one}/refuse`, { reason: 'no' }],
      ['POST', `${one}/withdraw`],
      ['GET', `${one}/file`],
    ];
    for (const [method, path, sent] of calls) {
      expect((await app.call(method, path, sent === undefined ? {} : { body: sent })).status).toBe(401);
      expect((await call(method, path, sent, {}, regional.token)).status).toBe(403);
      if (path !== requestsPath) expect((await call(method, path, sent, {}, other.admin.token)).status).toBe(404);
    }
    expect((await call('GET', requestsPath, undefined, {}, other.admin.token)).body.items).toEqual([]);
  });

  it('has no file before an approval, and a request for erasure has none', async () => {
    const client = await createClientRecord(app);
    for (const kind of ['access', 'erasure']) {
      const { body } = await ask(client.id, { kind });
      expect(await call('GET', `${requestsPath}/${body.id}/file`)).toMatchObject({ status: 409, body: { code: 'client.data-not-approved' } });
      expect((await call('GET', `${requestsPath}/${body.id}/file?format=pdf`)).status).toBe(422);
    }
  });
});

describe('the list of requests', () => {
  it('is ordered by the due date, filtered, and paged without gaps', async () => {
    const made: string[] = [];
    for (const days of [40, 3, 16, 15]) {
      const client = await createClientRecord(app, { name: `Listed ${days}` });
      const { body } = await ask(client.id, { kind: 'erasure', received_on: plusDays(today, -days) });
      made.push(body.id);
    }
    const [longOverdue, soon, overdue, dueToday] = made;
    const ids = async (query: string) => (await call('GET', `${requestsPath}?status=open&limit=100${query}`)).body.items.map(({ id }: { id: string }) => id);
    expect((await ids('')).slice(0, 4)).toEqual([longOverdue, overdue, dueToday, soon]);
    expect(await ids('&overdue=true')).toEqual([longOverdue, overdue]);
    expect(await ids('&overdue=false')).not.toContain(overdue);
    expect(await ids(`&due_before=${today}`)).toEqual([longOverdue, overdue]);
    expect(await ids('&kind=access&overdue=true')).toEqual([]);
    const { body: shown } = await call('GET', `${requestsPath}/${dueToday}`);
    expect(shown).toMatchObject({ days_left: 0, is_overdue: false });
    expect(await ids(`&client_id=${shown.client_id}`)).toEqual([dueToday]);

    const all = await ids('');
    const paged: string[] = [];
    let cursor = '';
    do {
      const { body } = await call('GET', `${requestsPath}?status=open&limit=3${cursor}`);
      paged.push(...body.items.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
    } while (cursor !== '');
    expect(paged).toEqual(all);
    expect((await call('GET', `${requestsPath}?cursor=abc`)).body.code).toBe('request.cursor-invalid');
    const { items } = (await call('GET', '/admin/audit-logs?event=client-data-request.list&limit=1')).body;
    expect(items).toMatchObject([{ action: 'read', resource_id: null }]);
  });
});

describe('the settings of a tenant', () => {
  it('have the days of the law as long as nothing is written, and are replaced by version', async () => {
    const read = await call('GET', settingsPath, undefined, {}, other.admin.token);
    expect(read.body).toEqual({ data_request_days: 15, reminder_days: [5, 1], version: 0, updated_at: null });
    expect(read.headers.get('etag')).toBe('"0"');
    const put = (body: unknown, version: number, token = other.admin.token) => call('PUT', settingsPath, body, { 'if-match': `"${version}"` }, token);
    expect((await call('PUT', settingsPath, read.body, {}, other.admin.token)).status).toBe(428);
    expect(await put(read.body, 0)).toMatchObject({ status: 200, body: { version: 0 } });
    const changed = await put({ data_request_days: 10, reminder_days: [2, 7] }, 0);
    expect(changed).toMatchObject({ status: 200, body: { data_request_days: 10, reminder_days: [7, 2], version: 1 } });
    expect((await put({ data_request_days: 9, reminder_days: [] }, 0)).status).toBe(412);
    expect(await put(changed.body, 1)).toMatchObject({ status: 200, body: { version: 1 } });
    expect(await put({ data_request_days: 9, reminder_days: [] }, 1)).toMatchObject({ status: 200, body: { reminder_days: [], version: 2 } });
    for (const bad of [{ data_request_days: 0, reminder_days: [] }, { data_request_days: 91, reminder_days: [] }, { data_request_days: 5 },
      { data_request_days: 5, reminder_days: [1, 1] }, { data_request_days: 5, reminder_days: [-1] }]) {
      expect((await put(bad, 2)).status).toBe(422);
    }
    expect((await call('GET', settingsPath)).body.version).toBe(0);
    const agent = await app.signIn('role-junior-agent');
    expect((await put({ data_request_days: 5, reminder_days: [] }, 2, agent.token)).status).toBe(403);
  });

  it('the first of parallel writes stands, and the others are stale', async () => {
    const put = (days: number) => call('PUT', settingsPath, { data_request_days: days, reminder_days: [1] }, { 'if-match': '"0"' });
    const answers = await Promise.all([20, 21, 22, 23].map(put));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412, 412, 412]);
  });

  it('do not move the due date of a request that is there', async () => {
    const client = await createClientRecord(app);
    const { body } = await ask(client.id, { kind: 'access' });
    const before = await call('GET', settingsPath);
    const { body: changed } = await call('PUT', settingsPath, { data_request_days: 30, reminder_days: [10] }, { 'if-match': before.headers.get('etag') ?? '' });
    expect(changed.data_request_days).toBe(30);
    expect((await call('GET', `${requestsPath}/${body.id}`)).body).toMatchObject({ due_on: body.due_on, reminder_days: body.reminder_days });
    const { body: later } = await ask(client.id, { kind: 'erasure' });
    expect(later).toMatchObject({ due_on: plusDays(today, 30), reminder_days: [10] });
  });
});
